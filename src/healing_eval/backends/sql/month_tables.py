"""How is a month let go of where it has tables of its own?

The tables are detached, then archived, then dropped: first all but that of the revisions, then the conversations that
it names, then itself. So whoever is stopped in the middle, however it happens, leaves tables that say how far it was.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import FromClause, MetaData, Table, func, select, table
from sqlalchemy import column as named
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.months import OF_REVISIONS, Months
from healing_eval.backends.sql.partitions import (
    PARTITIONED,
    Partition,
    detach_month,
    drop_detached,
    list_partitions,
)
from healing_eval.domain.month import Month
from healing_eval.ports.archive import Part


class MonthTables(Months):
    """The months of a database that is partitioned by month."""

    async def before(self, month: Month) -> list[Month]:
        async with self._database.patient() as connection:
            found = {one.month for one in await list_partitions(connection) if one.month < month}
            for name in PARTITIONED:
                found |= await _months_without_table(connection, name, month)
        return sorted(found)

    async def close(self, month: Month) -> None:
        await detach_month(self._database, month)

    async def parts(self, month: Month) -> list[Part]:
        async with self._database.look() as connection:
            there = {one.table for one in await _detached(connection) if one.month == month}
        return [] if there and there != set(PARTITIONED) else await super().parts(month)

    async def drop(self, month: Month) -> int:
        await drop_detached(self._database, month, *(name for name in PARTITIONED if name != "revisions"))
        gone = sum([gone async for gone in self._drop_conversations(month, rows_too=False)])
        await drop_detached(self._database, month, "revisions")
        return gone

    async def _source(
        self, connection: AsyncConnection, name: str, month: Month
    ) -> tuple[Table, FromClause, Any, list[Any]]:
        own = Partition(month, name, attached=False)
        if own in await _detached(connection):
            found = _table(own)
            return found, found, found.c.accepted_at, []
        return await super()._source(connection, name, month)

    async def aside(self, connection: AsyncConnection) -> list[Table]:
        return [_table(one) for one in await _detached(connection)]


async def _detached(connection: AsyncConnection) -> list[Partition]:
    return [one for one in await list_partitions(connection) if not one.attached]


def _table(partition: Partition) -> Table:
    return OF_REVISIONS[partition.table].to_metadata(MetaData(), name=partition.name)


async def _months_without_table(connection: AsyncConnection, name: str, before: Month) -> set[Month]:
    """Look into the default partition, which is empty nearly always."""
    accepted_at = named("accepted_at", OF_REVISIONS[name].c.accepted_at.type)
    begins: Any = func.date_trunc("month", accepted_at)
    rows = table(f"{name}_default", accepted_at)
    found = await connection.execute(select(begins).distinct().select_from(rows).where(accepted_at < before.begins))
    return {Month.of(moment) for moment in found.scalars()}
