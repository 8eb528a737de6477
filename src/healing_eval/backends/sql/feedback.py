"""How are annotations kept? Append-only, and never the same thing twice in a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.bulk import insert_rows
from healing_eval.backends.sql.clock import moment
from healing_eval.backends.sql.rows import Row, annotation_row, of_conversations, read_annotation
from healing_eval.backends.sql.tables import annotations, conversations
from healing_eval.backends.sql.types import storable_json
from healing_eval.domain.annotation import Annotation
from healing_eval.domain.storable import storable
from healing_eval.ports.ledger import StoredAnnotation


async def list_annotations(connection: AsyncConnection, keys: Iterable[bytes]) -> list[StoredAnnotation]:
    """List annotations by conversation, oldest first."""
    found = await connection.execute(
        select(annotations)
        .where(of_conversations(connection, annotations, keys))
        .order_by(annotations.c.conversation_key, annotations.c.ordinal)
    )
    return [StoredAnnotation(row.conversation_key, read_annotation(row)) for row in found]


async def append_annotations(
    connection: AsyncConnection, key: bytes, said: Sequence[Annotation], now: datetime | None
) -> int:
    """Append what is new to a conversation that exists, and count it there; said `now`, or when the server says so."""
    # The update comes first: it locks the head, so that two people at once get two ordinals.
    locked = (
        await connection.execute(
            update(conversations)
            .where(conversations.c.conversation_key == key)
            .values(annotation_count=conversations.c.annotation_count)
            .returning(conversations.c.annotation_count, moment(now))
        )
    ).first()
    if locked is None:
        return 0
    count, at = locked
    before = [one.annotation for one in await list_annotations(connection, [key])] if count else []
    fresh = news(before, said)
    if fresh:
        await insert_rows(connection, annotations, numbered(key, count, fresh, at))
        await connection.execute(
            update(conversations)
            .where(conversations.c.conversation_key == key)
            .values(annotation_count=count + len(fresh))
        )
    return len(fresh)


def news(before: Iterable[Annotation], said: Iterable[Annotation]) -> list[Annotation]:
    """Leave out what says the same as the newest annotation of its type, annotator and turn."""
    newest = {_question(one): _answer(one) for one in before}
    fresh: list[Annotation] = []
    for one in said:
        if newest.get(_question(one)) != _answer(one):
            newest[_question(one)] = _answer(one)
            fresh.append(one)
    return fresh


def numbered(key: bytes, count: int, fresh: Sequence[Annotation], now: datetime) -> list[Row]:
    """Make rows that follow the `count` annotations a conversation has."""
    return [annotation_row(key, count + number, one, now) for number, one in enumerate(fresh, start=1)]


def _question(one: Annotation) -> bytes:
    return msgspec.json.encode((storable(one.type), storable(one.annotator_id), storable_json(one.turn_id)))


def _answer(one: Annotation) -> bytes:
    notes = None if one.notes is None else storable(one.notes)
    return msgspec.json.encode((storable_json(one.label), one.confidence, notes))
