"""How are submissions stored? All in one transaction, and each content once, however many send it at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.feedback import list_annotations
from healing_eval.backends.sql.intake import Changes, Head, Known, plan
from healing_eval.backends.sql.tables import annotations, conversations, revisions
from healing_eval.domain.revision import Receipt, Submission

_HEAD = msgspec.structs.fields(Head)
_CHANGE_HEAD = (
    update(conversations)
    .where(conversations.c.conversation_key == bindparam("the_key"))
    .values({field.name: bindparam(field.name) for field in _HEAD if field.name != "conversation_key"})
)


async def add(
    connection: AsyncConnection, submissions: Sequence[Submission], mask: int, now: datetime
) -> list[Receipt]:
    """Store submissions within the connection's transaction.

    Raises:
        sqlalchemy.exc.IntegrityError: somebody else stored one of the conversations first; the same again will do.
    """
    known = await _look_up(connection, submissions)
    changes = plan(submissions, known, mask, now)
    await _write(connection, changes)
    return changes.receipts


async def _look_up(connection: AsyncConnection, submissions: Sequence[Submission]) -> dict[bytes, Known]:
    keys = {submission.conversation.key for submission in submissions}
    heads = await connection.execute(
        select(conversations)
        .where(conversations.c.conversation_key.in_(keys))
        .order_by(conversations.c.conversation_key)  # everyone locks in the same order
        .with_for_update()
    )
    known = {row.conversation_key: Known(_read_head(row)) for row in heads}
    if known:
        await _look_up_contents(connection, known)
        await _look_up_annotations(connection, known, submissions)
    return known


def _read_head(row: Any) -> Head:
    return Head(**{field.name: getattr(row, field.name) for field in _HEAD})


async def _look_up_contents(connection: AsyncConnection, known: dict[bytes, Known]) -> None:
    table = revisions.c
    found = await connection.execute(
        select(table.conversation_key, table.revision, table.content_hash, table.complete).where(
            table.conversation_key.in_(known)
        )
    )
    for row in found:
        known[row.conversation_key].contents[row.content_hash, row.complete] = row.revision


async def _look_up_annotations(
    connection: AsyncConnection, known: dict[bytes, Known], submissions: Sequence[Submission]
) -> None:
    speaking = {one.conversation.key for one in submissions if one.annotations}
    keys = [key for key in speaking if key in known and known[key].head.annotation_count]
    if keys:
        for stored in await list_annotations(connection, keys):
            known[stored.conversation_key].annotations.append(stored.annotation)


async def _write(connection: AsyncConnection, changes: Changes) -> None:
    if changes.new_heads:
        await connection.execute(insert(conversations), changes.new_heads)
    if changes.changed_heads:
        rows = [{**row, "the_key": row["conversation_key"]} for row in changes.changed_heads]
        await connection.execute(_CHANGE_HEAD, rows)
    if changes.revisions:
        await connection.execute(insert(revisions), changes.revisions)
    if changes.annotations:
        await connection.execute(insert(annotations), changes.annotations)
