"""Which months have a table of their own?

PostgreSQL keeps what belongs to revisions in one table per month of their acceptance, made ahead of time, so that a
month is let go of by dropping a table. Whatever no month takes goes to the default partition, so that nothing is ever
refused; once its month gets a table, it moves there.

Because of the default partition PostgreSQL cannot detach CONCURRENTLY. Attaching and detaching change the catalog only,
so they take milliseconds once they have their locks; for these they wait `LOCK_TIMEOUT`, since everyone behind them
waits as well. Each step is a transaction, and what was left half done is found and finished the next time: the tables
themselves say how far it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.domain.month import Month

PARTITIONED = ("evaluations", "issues", "revisions", "verdicts")
LOCK = 0x4865_616C_5061_7274
"""Key of the advisory lock under which one process at a time changes partitions."""
LOCK_TIMEOUT = "500ms"

_NAME = re.compile(rf"({'|'.join(PARTITIONED)})_(\d{{4}})_(\d{{2}})")


class Partition(msgspec.Struct, frozen=True, order=True):
    """A table that holds one month of another."""

    month: Month
    table: str
    attached: bool = True
    """False while it is on its way in or out."""

    @property
    def name(self) -> str:
        """Its own name."""
        return f"{self.table}_{self.month.year:04d}_{self.month.month:02d}"


class _Writer(Protocol):
    def look(self) -> AbstractAsyncContextManager[AsyncConnection]: ...
    def write(self) -> AbstractAsyncContextManager[AsyncConnection]: ...
    def patient(self) -> AbstractAsyncContextManager[AsyncConnection]: ...


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


async def detach_month(database: _Writer, month: Month) -> None:
    """Take the tables of a month out of the common ones; that of the revisions last, so that it speaks for all.

    What of the month came before it had tables, or after they were dropped, is moved into tables of its own first.

    Raises:
        BackendError: a lock was not to be had in time; calling again goes on where this ended.
    """
    async with database.look() as connection:
        there = {one.table: one for one in await list_partitions(connection) if one.month == month}
    if "revisions" in there and not there["revisions"].attached:
        return
    for table in PARTITIONED:
        if table not in there:
            async with database.write() as connection:
                await _lock(connection)
                await _make(connection, Partition(month, table))
    for table in (*(one for one in PARTITIONED if one != "revisions"), "revisions"):
        async with database.write() as connection:
            await _lock(connection)
            one = Partition(month, table)
            if one in await list_partitions(connection):
                await connection.execute(text(f"ALTER TABLE {table} DETACH PARTITION {one.name}"))


async def drop_detached(database: _Writer, month: Month, *tables: str) -> None:
    """Drop tables of a month that are detached; the others stay.

    By now nobody else knows them, so that however long it takes, nobody waits.

    Raises:
        BackendError: somebody reads one of them just now.
    """
    for table in tables:
        one = Partition(month, table, attached=False)
        async with database.patient() as connection:
            await _lock(connection)
            if one in await list_partitions(connection):
                await connection.execute(text(f"DROP TABLE {one.name}"))


async def _lock(connection: AsyncConnection) -> None:
    await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
    await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))


async def _make(connection: AsyncConnection, one: Partition) -> None:
    """Make a table beside the others and attach it: that keeps nobody from reading and writing other months."""
    first, after = (f"'{moment:%Y-%m-%d} 00:00:00+00'" for moment in (one.month.begins, one.month.ends))
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
