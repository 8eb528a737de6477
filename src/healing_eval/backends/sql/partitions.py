"""Which months have a table of their own?

PostgreSQL keeps what belongs to revisions in one table per month of their acceptance, made ahead of time, so that a
month is let go of by dropping a table. Whatever no month takes goes to the default partition, so that nothing is ever
refused; once its month gets a table, it moves there.

Because of the default partition PostgreSQL cannot detach CONCURRENTLY. Attaching and detaching change the catalog only,
so they take milliseconds once they have their locks; for these they wait `LOCK_TIMEOUT`, since everyone behind them
waits as well. Each step is a transaction, and what was left half done is found and finished the next time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime
from typing import Protocol

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

PARTITIONED = ("evaluations", "issues", "revisions", "verdicts")
LOCK = 0x4865_616C_5061_7274
"""Key of the advisory lock under which one process at a time changes partitions."""
LOCK_TIMEOUT = "2s"

_NAME = re.compile(rf"({'|'.join(PARTITIONED)})_(\d{{4}})_(\d{{2}})")


class Month(msgspec.Struct, frozen=True, order=True):
    """A month of UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, moment: date | datetime) -> Month:
        """Tell in which month a moment is."""
        if isinstance(moment, datetime):
            moment = moment.astimezone(UTC)
        return cls(moment.year, moment.month)

    @property
    def next(self) -> Month:
        """The month after this one."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    def partition(self, table: str) -> str:
        """Name the table's partition for this month."""
        return f"{table}_{self.year:04d}_{self.month:02d}"


class Partition(msgspec.Struct, frozen=True, order=True):
    """A table that holds one month of another."""

    month: Month
    table: str
    attached: bool = True
    """False while it is on its way in or out."""

    @property
    def name(self) -> str:
        """Its own name."""
        return self.month.partition(self.table)


class _Writer(Protocol):
    def look(self) -> AbstractAsyncContextManager[AsyncConnection]: ...
    def write(self) -> AbstractAsyncContextManager[AsyncConnection]: ...


def months_from(now: datetime, later: int) -> list[Month]:
    """List the month of a moment and some later ones."""
    months = [Month.of(now)]
    for _ in range(later):
        months.append(months[-1].next)
    return months


async def list_partitions(connection: AsyncConnection) -> list[Partition]:
    """List the tables that hold one month, oldest first; those that are attached and those that should be gone."""
    found = await connection.execute(
        text(
            "SELECT relname, relispartition FROM pg_class"
            " WHERE relkind = 'r'"
            " AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'revisions'::regclass)"
        )
    )
    listed: list[Partition] = []
    for name, attached in found.all():
        parts = _NAME.fullmatch(name)
        if parts:
            listed.append(Partition(Month(int(parts[2]), int(parts[3])), parts[1], attached))
    return sorted(listed)


async def make_partitions(database: _Writer, months: Iterable[Month]) -> list[Partition]:
    """Make the partitions that are missing; returns those.

    Raises:
        BackendError: a lock was not to be had in time; what is missing is made the next time.
    """
    wanted = [Partition(month, table) for month in months for table in PARTITIONED]
    async with database.look() as connection:
        there = await list_partitions(connection)
    missing = [one for one in wanted if one not in there]
    for one in missing:
        async with database.write() as connection:
            await _lock(connection)
            if one not in await list_partitions(connection):  # others may have been faster
                await _make(connection, one)
    return missing


async def drop_months_before(database: _Writer, month: Month) -> list[Partition]:
    """Let go of all months before one, oldest first; returns the partitions dropped.

    Raises:
        BackendError: a lock was not to be had in time; calling again goes on where this ended.
    """
    async with database.look() as connection:
        old = [one for one in await list_partitions(connection) if one.month < month]
    for one in old:
        async with database.write() as connection:
            await _lock(connection)
            if one.attached and one in await list_partitions(connection):
                await connection.execute(text(f"ALTER TABLE {one.table} DETACH PARTITION {one.name}"))
        async with database.write() as connection:
            await _lock(connection)
            # By now nobody else knows the table, so that however long it takes, nobody waits.
            await connection.execute(text(f"DROP TABLE IF EXISTS {one.name}"))
    return old


async def _lock(connection: AsyncConnection) -> None:
    await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
    await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))


async def _make(connection: AsyncConnection, one: Partition) -> None:
    """Make a table beside the others and attach it: that keeps nobody from reading and writing other months."""
    first, after = (f"'{month}-01 00:00:00+00'" for month in (one.month, one.month.next))
    theirs = f"accepted_at >= {first} AND accepted_at < {after}"
    default = f"{one.table}_default"
    await connection.execute(text(f"LOCK TABLE {default} IN ACCESS EXCLUSIVE MODE"))
    await connection.execute(text(f"CREATE TABLE IF NOT EXISTS {one.name} (LIKE {one.table} INCLUDING ALL)"))
    await connection.execute(
        text(
            f"WITH moved AS (DELETE FROM {default} WHERE {theirs} RETURNING *)"  # noqa: S608 - our own names
            f" INSERT INTO {one.name} SELECT * FROM moved"
        )
    )
    await connection.execute(
        text(f"ALTER TABLE {one.table} ATTACH PARTITION {one.name} FOR VALUES FROM ({first}) TO ({after})")
    )
