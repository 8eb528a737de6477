"""How is a database reached? One way to read, one way to write, and one kind of error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from healing_eval.backends.sql.migrate import bring_up_to_date, schema_in_words, schema_of
from healing_eval.backends.sql.writes import LastWrite
from healing_eval.errors import BackendError
from healing_eval.ports.ledger import Schema

RACES = 5
"""How often a transaction is tried again because somebody else's came first."""

_LOST_RACES = frozenset({"23505", "23514", "40001", "40P01"})
"""SQLSTATE of what does not happen again: a unique violation, a month whose partition was attached while a row was on
its way to the default one, a serialization failure and a deadlock."""


_PROGRAMS = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


class Raced(Exception):
    """Somebody else stored the same first; the transaction has to be tried again."""


class Database:
    """A pair of engines for one database; they connect with the first use."""

    remote = False
    """Whether each statement is a round trip to a server, so that few are better."""

    def __init__(
        self,
        reader: AsyncEngine,
        writer: AsyncEngine,
        *,
        one_writer: bool,
        touch: str,
        last_write: LastWrite | None = None,
    ) -> None:
        """Take two engines, which may be the same.

        Args:
            reader: for transactions that only look.
            writer: for transactions that change something.
            one_writer: whether the database serves one writer at a time, so that writers better queue here.
            touch: a statement that changes nothing and is written all the same.
            last_write: remembers how writes went.
        """
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Semaphore(1) if one_writer else None
        self._touch = touch
        self._last_write = last_write or LastWrite()

    def has_lost(self, error: BackendError) -> bool:
        """Tell whether it failed because the server had closed the connection, so that another may do."""
        return False

    async def open(self) -> None:
        """Connect and bring the schema up to date.

        Raises:
            BackendError: the database cannot be reached or is of a newer version.
        """
        async with self.write() as connection:
            await connection.run_sync(bring_up_to_date)

    async def about(self) -> str:
        """Say which program and version it is, and which schema it has.

        Raises:
            BackendError: the database cannot be reached or is of a newer version.
        """
        async with self.look() as connection:
            version = ".".join(map(str, connection.dialect.server_version_info or ("of an unknown version",)))
            program = _PROGRAMS.get(connection.dialect.name, connection.dialect.name)
            return f"{program} {version}, {await connection.run_sync(schema_in_words)}"

    async def make_room(self, now: datetime) -> None:
        """Prepare for what will be accepted in the months to come, where the database wants that."""

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """Give a connection that sees one state of the database and waits for no writer."""
        with driver_errors_translated():
            async with self._reader.connect() as connection:
                yield connection

    def look(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Give a connection for a single statement, or for several that need not see the same state."""
        return self.read()

    def patient(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Give a connection for statements on much at once, which may take long."""
        return self.read()

    async def schema(self) -> Schema:
        """Tell which schema the database has, and change nothing.

        Raises:
            BackendError: the database cannot be reached or is of a newer version.
        """
        async with self.look() as connection:
            return await connection.run_sync(schema_of)

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """Give a connection in a transaction that is committed at the end, or rolled back if an error is raised."""
        with self._last_write.watched(), driver_errors_translated():
            if self._turn is None:
                async with self._writer.begin() as connection:
                    yield connection
                return
            async with self._turn, self._writer.begin() as connection:
                yield connection

    async def check(self) -> None:
        """Read something, and make sure that writes are taken: a full disk is still readable.

        Raises:
            BackendError: the database does not answer, or the last write failed.
        """
        async with self.read() as connection:
            await connection.execute(select(1))
        writing = self._turn is not None and self._turn.locked()
        if self._last_write.is_old and not writing:  # how a write in progress goes is known soon enough
            async with self.write() as connection:
                await connection.exec_driver_sql(self._touch)
        self._last_write.check()

    async def close(self) -> None:
        """Let go of all connections."""
        with driver_errors_translated():
            await self._reader.dispose()
            await self._writer.dispose()


@contextmanager
def driver_errors_translated() -> Generator[None]:
    """Turn what a driver raises into a BackendError; the statement and its values stay out of the message."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise BackendError(f"the database failed: {type(reason).__name__}: {reason}") from error
    except OSError as error:
        raise BackendError(f"the database cannot be reached: {error}") from error
    except Raced as error:
        raise BackendError(str(error)) from error


def is_lost_race(error: BackendError) -> bool:
    """Tell whether the transaction failed only because somebody else's came first."""
    cause = error.__cause__
    state = getattr(getattr(cause, "orig", cause), "sqlstate", None)
    return isinstance(cause, (IntegrityError, Raced)) if state is None else state in _LOST_RACES


def to_json(value: object) -> str:
    """Write a JSON column."""
    return msgspec.json.encode(value).decode()
