"""What does a month hold, and how is it let go of?

A month holds the revisions that were accepted in it with all that belongs to them; no body reaches into another month
(`intake`). A conversation goes with its latest revision, and what people said about it goes with the conversation. So a
conversation that was revised in a later month stays, without the revisions before.

Here the rows of all months stand in the same tables, and are read and deleted some at a time, in the order of their
keys. Where a month has tables of its own, `month_tables` says what is different.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from hashlib import blake2b
from typing import Any

from sqlalchemy import FromClause, RowMapping, Table, and_, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.bulk import lock_heads
from healing_eval.backends.sql.engine import Database
from healing_eval.backends.sql.rows import of_conversations
from healing_eval.backends.sql.tables import (
    IS_OUTSTANDING,
    annotations,
    batch_questions,
    conversations,
    evaluations,
    issues,
    revisions,
    verdicts,
)
from healing_eval.domain.conversation import key_to_text
from healing_eval.domain.month import Month
from healing_eval.ports.archive import Part, Row

OF_REVISIONS = {table.name: table for table in (evaluations, issues, revisions, verdicts)}
"""Tables whose rows go with their revision."""
PAGE = 100
"""Rows read at once for the archive, bodies among them."""
BATCH = 500
"""Conversations whose rows are deleted in one transaction."""

_heads = conversations.c


class Months:
    """The months of a database that keeps all of them in the same tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def before(self, month: Month) -> list[Month]:
        """List the months before one that hold something, oldest first."""
        found = set[Month]()
        async with self._database.read() as connection:
            while (latest := await _latest_before(connection, min([month, *found]))) is not None:
                found.add(latest)
        return sorted(found)

    async def unevaluated(self, month: Month) -> int:
        """Count the conversations whose latest revision is of this month and has lanes outstanding."""
        async with self._database.patient() as connection:
            waiting = select(func.count()).select_from(conversations).where(IS_OUTSTANDING, *_heads_of(month))
            return (await connection.execute(waiting)).scalar_one()

    async def close(self, month: Month) -> None:
        """Take a month out of what others read and write, where that can be done."""

    async def parts(self, month: Month) -> list[Part]:
        """Say what is to be archived; nothing that is empty, and nothing of a month that is being dropped already."""
        async with self._database.patient() as connection:
            found = [await self._part(connection, name, month) for name in (*OF_REVISIONS, annotations.name)]
        return [one for one in found if one.rows]

    async def _part(self, connection: AsyncConnection, name: str, month: Month) -> Part:
        _, joined, moment, conditions = await self._source(connection, name, month)
        counted = select(func.count(), func.min(moment), func.max(moment)).select_from(joined).where(*conditions)
        rows, first, last = (await connection.execute(counted)).one()
        mark = blake2b(f"{rows} {first} {last}".encode(), digest_size=4).hexdigest()
        return Part(month, name, rows, mark)

    async def rows(self, part: Part) -> AsyncIterator[Row]:
        """Give the rows of a part, in the order of their keys; only some of them are in memory at a time."""
        async with aclosing(self._pages(part)) as pages:
            async for page in pages:
                for row in page:
                    yield _plain(row)

    async def _pages(self, part: Part) -> AsyncGenerator[Sequence[RowMapping]]:
        async with self._database.patient() as connection:
            table, joined, _, conditions = await self._source(connection, part.table, part.month)
            key = list(table.primary_key.columns)
            page = select(*table.c).select_from(joined).where(*conditions).order_by(*key).limit(PAGE)
            found = (await connection.execute(page)).mappings().all()
            while found:
                yield found
                last = [found[-1][column.name] for column in key]
                found = (await connection.execute(page.where(_beyond(key, last)))).mappings().all()

    async def drop(self, month: Month) -> int:
        """Delete all that a month holds, and the conversations that go with it; tells how many went."""
        return sum([gone async for gone in self._drop_conversations(month, rows_too=True)])

    async def _drop_conversations(self, month: Month, *, rows_too: bool) -> AsyncGenerator[int]:
        last: bytes | None = None
        while True:
            async with self._database.look() as connection:
                keys = await self._keys(connection, month, last)
            if keys:
                async with self._database.write() as connection:
                    if rows_too:
                        await _delete_rows(connection, keys, month)
                    gone = await _delete_heads(connection, keys, month)
                yield gone
            if len(keys) < BATCH:
                return
            last = keys[-1]

    async def _keys(self, connection: AsyncConnection, month: Month, last: bytes | None) -> list[bytes]:
        """List some of the conversations that a month has revisions of, in the order of their keys."""
        table, _, _, conditions = await self._source(connection, revisions.name, month)
        key = table.c.conversation_key
        beyond = [] if last is None else [key > last]
        page = select(key).distinct().where(*conditions, *beyond).order_by(key).limit(BATCH)
        return list((await connection.execute(page)).scalars())

    async def _source(
        self, connection: AsyncConnection, name: str, month: Month
    ) -> tuple[Table, FromClause, Any, list[Any]]:
        """Say from where the rows of a table in a month are read: with what it is joined, by which time, and which."""
        if name == annotations.name:
            owner = annotations.c.conversation_key == _heads.conversation_key
            return annotations, annotations.join(conversations, owner), _heads.accepted_at, _heads_of(month)
        table = OF_REVISIONS[name]
        return table, table, table.c.accepted_at, _in(table.c.accepted_at, month)

    async def aside(self, connection: AsyncConnection) -> list[Table]:
        """List the tables that hold rows of revisions besides the common ones."""
        return []


async def delete_conversations(connection: AsyncConnection, keys: Sequence[bytes], aside: Sequence[Table]) -> int:
    """Delete all there is of conversations, in the common tables and in others; tells how many there were.

    The heads are locked first: whoever holds one finishes, and whoever comes later finds none.
    """
    found = (await lock_heads(connection, keys)).heads
    for table in (conversations, annotations, *OF_REVISIONS.values(), *aside):
        await connection.execute(delete(table).where(of_conversations(connection, table, keys)))
    await connection.execute(delete(batch_questions).where(batch_questions.c.about.in_(keys)))
    return len(found)


async def _delete_rows(connection: AsyncConnection, keys: Sequence[bytes], month: Month) -> None:
    for table in OF_REVISIONS.values():
        theirs = of_conversations(connection, table, keys)
        await connection.execute(delete(table).where(theirs, *_in(table.c.accepted_at, month)))


async def _delete_heads(connection: AsyncConnection, keys: Sequence[bytes], month: Month) -> int:
    """Delete those of the conversations that have not been revised in a later month, however shortly ago."""
    heads = (await lock_heads(connection, keys)).heads
    gone = [head["conversation_key"] for head in heads if month.begins <= head["accepted_at"] < month.ends]
    for table in (conversations, annotations):
        await connection.execute(delete(table).where(of_conversations(connection, table, gone)))
    await connection.execute(delete(batch_questions).where(batch_questions.c.about.in_(gone)))
    return len(gone)


async def _latest_before(connection: AsyncConnection, month: Month) -> Month | None:
    accepted_at = revisions.c.accepted_at
    latest = (await connection.execute(select(func.max(accepted_at)).where(accepted_at < month.begins))).scalar()
    return None if latest is None else Month.of(latest)


def _heads_of(month: Month) -> list[Any]:
    return _in(_heads.accepted_at, month)


def _in(moment: Any, month: Month) -> list[Any]:
    return [and_(moment >= month.begins, moment < month.ends)]


def _beyond(key: Sequence[Any], last: Sequence[Any]) -> Any:
    return tuple_(*key) > tuple_(*last, types=[column.type for column in key])


def _plain(row: RowMapping) -> dict[str, Any]:
    """Write a row so that everybody can read it: keys as in addresses, hashes as hex, bodies as the text they are."""
    return {name: _plain_value(name, value) for name, value in row.items()}


def _plain_value(name: str, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    if name == "conversation_key":
        return key_to_text(value)
    return value.decode("utf-8", "backslashreplace") if name == "body" else value.hex()
