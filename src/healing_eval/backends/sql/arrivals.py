"""How are conversations stored that nobody has sent before, which nearly all of them are?

On a server in two round trips, where a transaction of several statements takes five: one look tells that it has none of
them yet, and one statement, a transaction by itself, inserts heads, bodies and annotations. If somebody else inserts
one of them in between, it inserts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.add import revision_row
from healing_eval.backends.sql.bulk import arrays_of, columns_of_heads, names_of, raw_connection
from healing_eval.backends.sql.intake import plan
from healing_eval.backends.sql.tables import annotations, conversations, revisions
from healing_eval.domain.revision import Receipt, Submission

_LOOK = "SELECT EXISTS (SELECT FROM conversations WHERE conversation_key = ANY($1)), coalesce($2::timestamptz, now())"


def _insertion(*tables: Table) -> str:
    """Write a statement that inserts into all of them, and takes an array for each column of each."""
    first, parts = 1, list[str]()
    for table in tables:
        columns = ", ".join(names_of(table))
        parts.append(f"INSERT INTO {table.name} ({columns}) SELECT * FROM unnest({arrays_of(table, first)})")  # noqa: S608
        first += len(table.c)
    *before, last = parts
    return f"WITH {', '.join(f'part_{number} AS ({part})' for number, part in enumerate(before))} {last}"


_INSERT = _insertion(conversations, revisions)
_INSERT_WITH_ANNOTATIONS = _insertion(conversations, annotations, revisions)


async def add_arrivals(
    connection: AsyncConnection, submissions: Sequence[Submission], mask: int, now: datetime | None
) -> list[Receipt] | None:
    """Store submissions, all or none; None, and none stored, if one of the conversations is known.

    Args:
        connection: to a server, outside of any transaction.
        submissions: in the order they were sent.
        mask: the bits of all lanes.
        now: the time of acceptance; None for the server's.

    Raises:
        asyncpg.UniqueViolationError: somebody else stored one of the conversations first; nothing is stored.
    """
    raw = raw_connection(connection)
    some_known, at = await raw.fetchrow(_LOOK, [one.key for one in submissions], now)
    if some_known:
        return None
    changes = plan(submissions, {}, mask, at)
    in_order = sorted(
        changes.new_heads, key=itemgetter("conversation_key")
    )  # as everybody, so that none wait in a circle
    heads, bodies = columns_of_heads(in_order), zip(*map(revision_row, changes.revisions), strict=True)
    if changes.annotations:
        said = zip(*changes.annotations, strict=True)
        await raw.execute(_INSERT_WITH_ANNOTATIONS, *heads, *said, *bodies)
    else:
        await raw.execute(_INSERT, *heads, *bodies)
    return changes.receipts
