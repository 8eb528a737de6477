"""How are conversations stored that nobody has sent before, which nearly all of them are?

On a server in two round trips, where a transaction of several statements takes five: one look tells that it has none of
them yet, and one statement, a transaction by itself, inserts heads and bodies. If somebody else inserts one of them in
between, it inserts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.add import revision_row
from healing_eval.backends.sql.bulk import arrays_of, columns_of_heads, names_of, raw_connection
from healing_eval.backends.sql.intake import plan
from healing_eval.backends.sql.tables import conversations, revisions
from healing_eval.domain.revision import Receipt, Submission

_LOOK = "SELECT EXISTS (SELECT FROM conversations WHERE conversation_key = ANY($1)), coalesce($2::timestamptz, now())"
_INSERT = (
    f"WITH heads AS (INSERT INTO conversations ({', '.join(names_of(conversations))})"  # noqa: S608
    f" SELECT * FROM unnest({arrays_of(conversations)}))"
    f" INSERT INTO revisions ({', '.join(names_of(revisions))})"
    f" SELECT * FROM unnest({arrays_of(revisions, 1 + len(conversations.c))})"
)


async def add_arrivals(
    connection: AsyncConnection, submissions: Sequence[Submission], mask: int, now: datetime | None
) -> list[Receipt] | None:
    """Store submissions, all or none; None, and none stored, if it needs more than that.

    Args:
        connection: to a server, outside of any transaction.
        submissions: in the order they were sent.
        mask: the bits of all lanes.
        now: the time of acceptance; None for the server's.

    Raises:
        asyncpg.UniqueViolationError: somebody else stored one of the conversations first; nothing is stored.
    """
    if any(one.annotations for one in submissions):
        return None
    raw = raw_connection(connection)
    some_known, at = await raw.fetchrow(_LOOK, [one.key for one in submissions], now)
    if some_known:
        return None
    changes = plan(submissions, {}, mask, at)
    columns = zip(*map(revision_row, changes.revisions), strict=True)
    await raw.execute(_INSERT, *columns_of_heads(changes.new_heads), *columns)
    return changes.receipts
