"""How are many rows written at once? The one place where the dialects differ.

SQLite takes the same statement with many sets of values. PostgreSQL takes rows by COPY, and heads in one statement
whose parameters are arrays, one for each column; everybody locks heads in the order of their keys, so that batches
that share conversations wait for each other and never in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple, cast

import msgspec
from sqlalchemy import Table, and_, bindparam, case, insert, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.clock import utc_now
from healing_eval.backends.sql.engine import Raced, to_json
from healing_eval.backends.sql.rows import RevisionPlace, Row, Values, of_revisions, revision_key
from healing_eval.backends.sql.tables import conversations
from healing_eval.backends.sql.types import FreeText
from healing_eval.domain.revision import RevisionKey

_heads = conversations.c
_HEAD_COLUMNS = tuple(conversations.c.keys())


class Lane(msgspec.Struct, frozen=True):
    """A lane's name and its bit."""

    name: str
    bit: int


class Closed(msgspec.Struct, frozen=True):
    """A revision whose lane was closed just now."""

    place: RevisionPlace
    final: bool
    """Whether no other lane is outstanding."""
    first: bool
    """Whether it is known that no lane was closed before, so that there is neither evaluation nor verdict yet."""
    at: datetime
    """When it was closed."""


class Locked(NamedTuple):
    """Heads that nobody else changes before the end of the transaction, and when it began."""

    heads: list[dict[str, Any]]
    at: datetime


def raw_connection(connection: AsyncConnection) -> Any:
    """Give asyncpg's own connection, which is in the same transaction; None on other databases."""
    if connection.dialect.name != "postgresql":
        return None
    assert connection.sync_connection is not None
    return connection.sync_connection.connection.driver_connection


async def insert_rows(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that nobody else can have inserted."""
    if not rows:
        return
    raw = raw_connection(connection)
    if raw is not None:
        await raw.copy_records_to_table(table.name, records=rows, columns=names_of(table))
        return
    statement, processors = _insertion(table)
    await connection.exec_driver_sql(statement, [_bound(row, processors) for row in rows])


Processors = list[tuple[int, Callable[[Any], Any]]]


@cache
def _insertion(table: Table) -> tuple[str, Processors]:
    """Write SQLite's statement, and how the values look that the driver does not take as they are."""
    dialect = sqlite.dialect(json_serializer=to_json)
    processors: Processors = []
    for position, column in enumerate(table.c):
        process = column.type.dialect_impl(dialect).bind_processor(dialect)
        if process is not None and not isinstance(column.type, FreeText):
            processors.append((position, process))
    return str(insert(table).compile(dialect=dialect)), processors


def _bound(row: Row, processors: Processors) -> Row:
    values = list(row)
    for position, process in processors:
        values[position] = process(values[position])
    return tuple(values)


@cache
def names_of(table: Table) -> tuple[str, ...]:
    """Name a table's columns, in their order."""
    return tuple(table.c.keys())


async def lock_heads(connection: AsyncConnection, keys: Iterable[bytes], now: datetime | None = None) -> Locked:
    """Read the heads of conversations, keep others from changing them, and tell the time: `now`, or the server's."""
    raw = raw_connection(connection)
    if raw is not None:
        rows = await raw.fetch(_LOCK_HEADS, list(keys), now)
        heads = [dict(zip(_HEAD_COLUMNS, row, strict=False)) for row in rows if row["conversation_key"] is not None]
        return Locked(heads, rows[0]["moment"])
    found = await connection.execute(select(conversations).where(_heads.conversation_key.in_(set(keys))))
    return Locked([dict(row) for row in found.mappings()], now or utc_now())


async def insert_heads(connection: AsyncConnection, rows: Sequence[Values]) -> None:
    """Insert new heads.

    Raises:
        Raced: somebody else inserted one of them first.
        sqlalchemy.exc.IntegrityError: the same, said by SQLite.
    """
    if not rows:
        return
    raw = raw_connection(connection)
    if raw is None:
        await connection.execute(insert(conversations), rows)
        return
    done = await raw.execute(_INSERT_HEADS, *columns_of_heads(rows))
    if int(done.rpartition(" ")[2]) < len(rows):
        raise Raced("the same conversations are being stored by others at the same time")


async def change_heads(connection: AsyncConnection, rows: Sequence[Values]) -> None:
    """Replace heads that `lock_heads` has read."""
    if not rows:
        return
    raw = raw_connection(connection)
    if raw is None:
        await connection.execute(_CHANGE_HEAD, [{**row, "the_key": row["conversation_key"]} for row in rows])
        return
    await raw.execute(_CHANGE_HEADS, *columns_of_heads(rows))


async def clear_bit(
    connection: AsyncConnection,
    lane: Lane,
    keys: Sequence[RevisionKey],
    failed_because: str | None,
    now: datetime | None,
) -> list[Closed]:
    """Clear the lane's bit where the revision is the latest and the bit is set: the fence that makes it once only.

    That is done `now`, or when the server says so.
    """
    raw = raw_connection(connection)
    if raw is None:
        return await _clear_bit_portably(connection, lane, keys, failed_because, now or utc_now())
    arrays = [key.conversation_key for key in keys], [key.revision for key in keys]
    found = await raw.fetch(_CLEAR_BIT, *arrays, lane.bit, failed_because, now)
    return [
        Closed(RevisionPlace(RevisionKey(key, revision), accepted_at, project), outstanding == 0, untouched, at)
        for key, revision, accepted_at, project, outstanding, untouched, at in found
    ]


async def _clear_bit_portably(
    connection: AsyncConnection, lane: Lane, keys: Sequence[RevisionKey], failed_because: str | None, now: datetime
) -> list[Closed]:
    is_last = _heads.outstanding == lane.bit
    failed = _heads.failed_because.is_not(None) if failed_because is None else true()
    cleared = await connection.execute(
        update(conversations)
        .where(of_revisions(connection, conversations, keys), _heads.outstanding.bitwise_and(lane.bit) != 0)
        .values(
            outstanding=_heads.outstanding - lane.bit,
            status=case((and_(is_last, failed), "failed"), (is_last, "done"), else_="evaluating"),
            **({} if failed_because is None else {"failed_because": failed_because}),
        )
        .returning(_heads.conversation_key, _heads.revision, _heads.accepted_at, _heads.project, _heads.outstanding)
    )
    return [
        Closed(
            RevisionPlace(revision_key(row), row.accepted_at, row.project), row.outstanding == 0, first=False, at=now
        )
        for row in cleared
    ]


def columns_of_heads(rows: Sequence[Values]) -> Iterable[Sequence[Any]]:
    """Turn heads into the arrays that `arrays_of` names."""
    return zip(*map(_head_row, rows), strict=True)


_head_row = cast("Callable[[Values], Row]", itemgetter(*_HEAD_COLUMNS))

_CHANGE_HEAD = (
    update(conversations)
    .where(_heads.conversation_key == bindparam("the_key"))
    .values({name: bindparam(name) for name in _HEAD_COLUMNS if name != "conversation_key"})
)


def arrays_of(table: Table, first: int = 1) -> str:
    """Write the parameters of a statement that takes rows, an array for each column, numbered from `first`."""
    dialect = postgresql.dialect()
    return ", ".join(
        f"${number}::{column.type.compile(dialect)}[]" for number, column in enumerate(table.c, start=first)
    )


_NAMES = ", ".join(_HEAD_COLUMNS)
# Where there are none, one row still brings the time.
_LOCK_HEADS = (
    f"SELECT head.*, coalesce($2::timestamptz, now()) AS moment FROM (SELECT) AS once LEFT JOIN (SELECT {_NAMES}"  # noqa: S608
    " FROM conversations WHERE conversation_key = ANY($1) ORDER BY conversation_key FOR UPDATE) AS head ON true"
)
_INSERT_HEADS = (
    f"INSERT INTO conversations ({_NAMES}) SELECT * FROM unnest({arrays_of(conversations)}) AS new ({_NAMES})"  # noqa: S608
    " ORDER BY conversation_key ON CONFLICT DO NOTHING"
)
_CHANGE_HEADS = (
    f"UPDATE conversations AS head SET {', '.join(f'{name} = new.{name}' for name in _HEAD_COLUMNS[1:])}"  # noqa: S608
    f" FROM unnest({arrays_of(conversations)}) AS new ({_NAMES}) WHERE head.conversation_key = new.conversation_key"
)
_CLEAR_BIT = """
WITH waiting AS (
    SELECT head.conversation_key, head.revision, head.status
    FROM unnest($1::bytea[], $2::integer[]) AS wanted (conversation_key, revision)
    JOIN conversations AS head USING (conversation_key, revision)
    WHERE head.outstanding & $3::bigint <> 0
    ORDER BY head.conversation_key
    FOR UPDATE OF head
)
UPDATE conversations AS head
SET outstanding = head.outstanding - $3,
    status = CASE
        WHEN head.outstanding <> $3 THEN 'evaluating'
        WHEN $4::text IS NULL AND head.failed_because IS NULL THEN 'done'
        ELSE 'failed'
    END,
    failed_because = coalesce($4, head.failed_because)
FROM waiting
WHERE head.conversation_key = waiting.conversation_key
    AND head.revision = waiting.revision
    AND head.outstanding & $3 <> 0
RETURNING head.conversation_key, head.revision, head.accepted_at, head.project, head.outstanding,
    waiting.status = 'pending', coalesce($5::timestamptz, now())
"""
