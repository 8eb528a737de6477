"""How is a PostgreSQL server reached, and what happens when it does not answer?

Statements go through SQLAlchemy or, where there are many rows, straight to asyncpg on the same connection (`bulk`). So
that both are in one transaction, the engine is in autocommit mode and transactions begin here. A connection that was
cut off in the middle, by a timeout or because the task was cancelled, is closed rather than cleaned up: the server may
hang, and whatever it did is undone with the connection.
"""

from __future__ import annotations

import math
import ssl
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import URL, NullPool, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from healing_eval.backends.sql.bulk import raw_connection
from healing_eval.backends.sql.engine import Database, driver_errors_translated, to_json
from healing_eval.backends.sql.migrate import bring_up_to_date, is_usable
from healing_eval.backends.sql.partitions import make_partitions, months_from
from healing_eval.backends.sql.wire import teach_types
from healing_eval.errors import BackendError, ConfigError

OLDEST_SERVER = 14
"""Bodies are compressed with lz4, which came with this version."""
CONNECTIONS = 10
"""Most connections of a process; PostgreSQL serves 100 by default."""
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0
"""How long a statement may take before the server counts as hung."""
PATIENT_SECONDS = 3600.0
LATER_MONTHS = 2
"""For how many months after this one there are partitions ahead of time."""

_SESSION = {
    "timezone": "UTC",
    "jit": "off",  # compiling costs more than all our statements
    # What we look up was written a moment ago and is in memory. At the server's own 4, a batch of keys has a table of
    # tens of thousands of rows read whole.
    "random_page_cost": "1.1",
    # A plan that was made while a table was small is kept for ever otherwise; and only a plan that knows the values
    # leaves out the other months before it locks them.
    "plan_cache_mode": "force_custom_plan",
}

_KEEP_ALIVE = {"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""In seconds, and how often: a peer that answers nothing is gone for the server after half a minute, not two hours."""
_LONGEST_MILLISECONDS = 2**31 - 1
"""What the server can count to."""

_BEGIN = "BEGIN"
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class Address(msgspec.Struct, frozen=True):
    """What a `postgresql://` URL says."""

    url: URL
    connections: int = CONNECTIONS
    connect_seconds: float = CONNECT_SECONDS
    answer_seconds: float = ANSWER_SECONDS
    ssl: str | None = None
    application_name: str = "healing-eval"

    def __str__(self) -> str:
        return self.url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


_OPTIONS = {
    "pool_size": ("connections", int),
    "connect_timeout": ("connect_seconds", float),
    "command_timeout": ("answer_seconds", float),
    "sslmode": ("ssl", str),
    "application_name": ("application_name", str),
}
"""What may stand behind the question mark; `host`, for a socket, is left to the driver."""

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def read_address(url: str, setting: str = "store_url", connections: int = CONNECTIONS) -> Address:
    """Read `postgresql://user:password@host:port/database?option=value`.

    Args:
        url: the address.
        setting: the name of the setting it stands in, for the error.
        connections: most of a process, where the address does not say.

    Raises:
        ConfigError: it is malformed, or an option is unknown; the password is not repeated.
    """
    try:
        made = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(f"setting {setting!r} must be postgresql://user:password@host:port/database") from error
    _check_place(made, setting)
    if not made.database:
        raise ConfigError(f"setting {setting!r} names no database: {made.render_as_string(hide_password=True)}")
    options: dict[str, Any] = {"connections": connections}
    for name, value in made.query.items():
        if name == "host":
            continue
        if name not in _OPTIONS:
            known = ", ".join((*_OPTIONS, "host"))
            raise ConfigError(f"setting {setting!r}: no option {name!r}; known: {known}")
        field, kind = _OPTIONS[name]
        options[field] = _read_option(name, str(value), kind, setting)
    host = {name: value for name, value in made.query.items() if name == "host"}
    return Address(made.set(drivername="postgresql+asyncpg", query=host), **options)


def _check_place(url: URL, setting: str) -> None:
    """Refuse a host or a port that cannot be one, which drivers meet unprepared."""
    try:
        (url.host or "").encode("idna")
    except UnicodeError as error:
        raise ConfigError(f"setting {setting!r}: {url.host!r} cannot be the name of a host") from error
    if url.port is not None and not 0 < url.port < 65536:
        raise ConfigError(f"setting {setting!r}: the port must be between 1 and 65535, got {url.port}")


def _read_option(name: str, text: str, kind: Callable[[str], Any], setting: str) -> Any:
    try:
        value = kind(text)
    except ValueError as error:
        raise ConfigError(f"setting {setting!r}: option {name!r} must be a number, got {text!r}") from error
    if kind is not str and not 0 < value < math.inf:
        raise ConfigError(f"setting {setting!r}: option {name!r} must be above 0, got {text!r}")
    if name == "sslmode" and value not in _SSL_MODES:
        raise ConfigError(f"setting {setting!r}: option 'sslmode' must be one of {', '.join(_SSL_MODES)}, got {text!r}")
    return value


_TOUCH = "SELECT pg_current_xact_id()"
"""Takes a transaction id, which is written to the log when the transaction is committed."""


_MAY_MAKE = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"


class PostgresqlDatabase(Database):
    """One PostgreSQL database; readers and writers share a pool."""

    remote = True

    def __init__(self, url: str, setting: str = "store_url", connections: int = CONNECTIONS) -> None:
        """Take its address, and what `read_address` wants to know besides."""
        self._address = read_address(url, setting, connections)
        self._engine = _engine(self._address)
        super().__init__(self._engine, self._engine, one_writer=False, touch=_TOUCH)

    async def open(self) -> None:
        """Connect and bring the schema up to date.

        Raises:
            ConfigError: the server refuses us, lacks what we need, or holds what this version cannot work with.
            BackendError: it cannot be reached now.
        """
        with self._setting_named():
            async with self.look() as connection:
                _check_server(connection)
                usable = await connection.run_sync(is_usable)
            if not usable:
                async with self.patient() as connection:
                    await connection.run_sync(bring_up_to_date)

    def has_lost(self, error: BackendError) -> bool:
        return isinstance(error.__cause__, _LOST)

    async def about(self) -> str:
        with self._setting_named():
            async with self.look() as connection:
                _check_server(connection)
                ready = await connection.run_sync(is_usable)
                if not ready and not await raw_connection(connection).fetchval(_MAY_MAKE):
                    raise BackendError("the user may make no tables, and some are missing")
            return await super().about()

    @contextmanager
    def _setting_named(self) -> Generator[None]:
        """Say which setting led to what failed, and tell what has to be mended from what may be over in a moment."""
        try:
            yield
        except BackendError as error:
            kind = ConfigError if _stays(error) else BackendError
            raise kind(f"setting 'store_url', {self._address}: {error}") from error

    async def make_room(self, now: datetime) -> None:
        await make_partitions(self, months_from(now, LATER_MONTHS))

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        async with self._transaction(_BEGIN_READING) as connection:
            yield connection

    @asynccontextmanager
    async def look(self) -> AsyncGenerator[AsyncConnection]:
        with errors_translated(self._address.answer_seconds):
            async with self._engine.connect() as connection, _dropped_if_cut_off(connection):
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        async with self._transaction(_BEGIN) as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncGenerator[AsyncConnection]:
        with errors_translated(self._address.answer_seconds):
            async with aclosing(await self._begun(begin)) as connection, _dropped_if_cut_off(connection):
                try:
                    yield connection
                except _CUT_OFF:
                    raise
                except BaseException:
                    await _roll_back(connection)
                    raise
                await raw_connection(connection).execute("COMMIT")

    async def _begun(self, begin: str) -> AsyncConnection:
        """Begin a transaction, on another connection if the server has closed one without our noticing."""
        for _ in range(self._address.connections):
            connection = await self._engine.connect()
            try:
                await raw_connection(connection).execute(begin)
            except _LOST:
                await _drop(connection)
                await connection.close()
            except BaseException:
                await _drop(connection)
                await connection.close()
                raise
            else:
                return connection
        raise BackendError("the database cannot be reached: it closes every connection")

    @asynccontextmanager
    async def patient(self) -> AsyncGenerator[AsyncConnection]:
        """Give a connection in a transaction for statements that may take long; no other has so much time."""
        patient = msgspec.structs.replace(self._address, answer_seconds=PATIENT_SECONDS)
        engine = _engine(patient, isolation_level="READ COMMITTED", poolclass=NullPool)
        try:
            with errors_translated(PATIENT_SECONDS):
                async with engine.begin() as connection:
                    yield connection
        finally:
            await engine.dispose()


_CUT_OFF = (TimeoutError, CancelledError, asyncpg.InternalClientError)
"""What leaves it open how far a statement got."""

_LOST = (asyncpg.InternalClientError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, ConnectionError)
"""What is raised by a connection that the server has closed; nothing was done with it."""


@asynccontextmanager
async def _dropped_if_cut_off(connection: AsyncConnection) -> AsyncGenerator[None]:
    try:
        yield
    except _CUT_OFF:
        await _drop(connection)
        raise


async def _drop(connection: AsyncConnection) -> None:
    if not connection.invalidated:
        raw_connection(connection).terminate()
        await connection.invalidate()


async def _roll_back(connection: AsyncConnection) -> None:
    if connection.invalidated or raw_connection(connection).is_closed():
        return
    try:
        await raw_connection(connection).execute("ROLLBACK")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        await _drop(connection)  # which undoes it as well; why the transaction failed is what matters


@contextmanager
def errors_translated(answer_seconds: float) -> Generator[None]:
    """Turn what SQLAlchemy and asyncpg raise into a BackendError, without the values that PostgreSQL tells in it."""
    with driver_errors_translated():
        try:
            yield
        except TimeoutError as error:
            raise BackendError(f"the database did not answer in time ({answer_seconds:g} s)") from error
        except asyncpg.PostgresError as error:
            # A detail is something like "Failing row contains (…)", which is what people said.
            error.detail = error.hint = error.where = None  # pyright: ignore[reportAttributeAccessIssue]
            raise BackendError(f"the database failed: {type(error).__name__}: {error.args[0]}") from error
        except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            raise BackendError(f"the database cannot be reached: {error.args[0]}") from error


_STAYING = frozenset({"0A", "28", "3D", "3F", "42"})
"""Classes of SQLSTATE that waiting does not mend: not supported, wrong user or password, no such database or schema,
not allowed."""


def _stays(error: BackendError) -> bool:
    """Tell whether a fault at the start stays until somebody mends it; anything else may be over in a moment."""
    if error.__cause__ is None:  # our own judgement, of an answer
        return True
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    state = getattr(cause, "sqlstate", None) or ""
    return state[:2] in _STAYING or isinstance(cause, (asyncpg.ClientConfigurationError, ssl.SSLError))


def _check_server(connection: AsyncConnection) -> None:
    version = connection.dialect.server_version_info
    if version is not None and version < (OLDEST_SERVER,):
        found = ".".join(map(str, version))
        raise BackendError(f"the server is PostgreSQL {found}; {OLDEST_SERVER} or newer is needed")


def _engine(address: Address, **options: Any) -> AsyncEngine:
    pool = {} if "poolclass" in options else {"pool_size": address.connections, "max_overflow": 0, "pool_timeout": 10}
    engine = create_async_engine(
        address.url,
        connect_args={
            "timeout": address.connect_seconds,
            "command_timeout": address.answer_seconds,
            "server_settings": {"application_name": address.application_name, **_SESSION, **_given_up_after(address)},
            **({} if address.ssl is None else {"ssl": address.ssl}),
        },
        hide_parameters=True,  # they are what people said, and an error may be logged
        json_serializer=to_json,
        json_deserializer=msgspec.json.decode,
        **{"isolation_level": "AUTOCOMMIT", **pool, **options},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.run_async(teach_types)

    @event.listens_for(engine.sync_engine, "checkout")
    def replace_if_lost(connection: Any, _record: Any, _proxy: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        # The driver hears when the server closes a connection, so asking costs nothing. The pool then opens another.
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    return engine


def _given_up_after(address: Address) -> dict[str, str]:
    """When the server gives up a transaction in which we say nothing more.

    A connection that the network has swallowed looks alive to the server for hours, and keeps its locks as long. In the
    middle of a COPY no timeout of PostgreSQL's counts, but that of TCP does.
    """
    milliseconds = min(math.ceil(1000 * address.answer_seconds), _LONGEST_MILLISECONDS)
    return {"idle_in_transaction_session_timeout": str(milliseconds), **_KEEP_ALIVE}
