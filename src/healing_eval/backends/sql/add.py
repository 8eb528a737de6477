"""How are submissions stored? All in one transaction, and each content once, however many send it at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.bulk import change_heads, insert_heads, insert_rows, lock_heads
from healing_eval.backends.sql.feedback import list_annotations
from healing_eval.backends.sql.intake import Changes, Head, Known, plan
from healing_eval.backends.sql.rows import Row, Values, of_conversations, span_of
from healing_eval.backends.sql.tables import annotations, revisions
from healing_eval.domain.revision import Receipt, Submission

revision_row = cast("Callable[[Values], Row]", itemgetter(*revisions.c.keys()))


async def add(
    connection: AsyncConnection, submissions: Sequence[Submission], mask: int, now: datetime | None
) -> list[Receipt]:
    """Store submissions within the connection's transaction, as accepted `now`, or when the server says so.

    Raises:
        Raced: somebody else stored one of the conversations first; the same again will do.
        sqlalchemy.exc.IntegrityError: the same, said by SQLite.
    """
    heads, at = await lock_heads(connection, {submission.key for submission in submissions}, now)
    known = {row["conversation_key"]: Known(Head(**row)) for row in heads}
    if known:
        await _look_up_contents(connection, known)
        await _look_up_annotations(connection, known, submissions)
    changes = plan(submissions, known, mask, at)
    await _write(connection, changes)
    return changes.receipts


async def _look_up_contents(connection: AsyncConnection, known: dict[bytes, Known]) -> None:
    table = revisions.c
    conditions = [of_conversations(connection, revisions, known)]
    heads = [one.head for one in known.values()]
    if all(head.revision == 1 for head in heads):  # nearly always; then it is known in which months to look
        conditions.append(table.accepted_at.between(*span_of(head.accepted_at for head in heads)))
    found = await connection.execute(
        select(table.conversation_key, table.revision, table.content_hash, table.complete).where(*conditions)
    )
    for row in found:
        known[row.conversation_key].contents[row.content_hash, row.complete] = row.revision


async def _look_up_annotations(
    connection: AsyncConnection, known: dict[bytes, Known], submissions: Sequence[Submission]
) -> None:
    speaking = {one.key for one in submissions if one.annotations}
    keys = [key for key in speaking if key in known and known[key].head.annotation_count]
    if keys:
        for stored in await list_annotations(connection, keys):
            known[stored.conversation_key].annotations.append(stored.annotation)


async def _write(connection: AsyncConnection, changes: Changes) -> None:
    await insert_heads(connection, changes.new_heads)
    await change_heads(connection, changes.changed_heads)
    await insert_rows(connection, revisions, list(map(revision_row, changes.revisions)))
    await insert_rows(connection, annotations, changes.annotations)
