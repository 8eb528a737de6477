"""How is a SQLite file opened?

WAL, so that readers never wait for the writer; synchronous=FULL, so that a commit has reached the disk when it returns
and a 202 survives a power cut as well as a kill (NORMAL may lose the last commits with the power, which is enough for
what can be found out again).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from healing_eval.backends.sql.engine import Database, to_json
from healing_eval.backends.sql.writes import LastWrite
from healing_eval.errors import BackendError, ConfigError

SCHEME = "sqlite:///"
READERS = 4
BUSY_TIMEOUT_SECONDS = 10
"""How long a writer waits for another process."""
CACHE_KIB = 32 * 1024
TOUCH = "PRAGMA user_version = 0"
"""Writes the file's first page, though it stays as it was; an update to the same value would write nothing."""


def sqlite_database(url: str, last_write: LastWrite | None = None, *, durable: bool = True) -> Database:
    """Make the database of `sqlite:///path`; three slashes before a relative path, four before an absolute one.

    Args:
        url: the address.
        last_write: remembers how writes went.
        durable: whether what is committed survives a power cut; that of a process it survives anyway.

    Raises:
        ConfigError: the address names no file.
    """
    path = _path_of(url)
    reader, writer = _engine(path, writes=False), _engine(path, writes=True, durable=durable)
    return Database(reader, writer, one_writer=True, touch=TOUCH, last_write=last_write)


def make_folder(url: str) -> None:
    """Make the folder the file is to stand in.

    Raises:
        BackendError: the folder cannot be made.
    """
    folder = _path_of(url).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError(f"the folder {str(folder)!r} cannot be made: {error.strerror}") from error


def is_there(url: str) -> bool:
    """Tell whether the file exists."""
    return _path_of(url).exists()


def _path_of(url: str) -> Path:
    name = url.removeprefix(SCHEME)
    if name == url or name in ("", ":memory:"):
        raise ConfigError(f"{url!r} must name a file, such as sqlite:///healing-eval.db")
    return Path(name)


def _engine(path: Path, *, writes: bool, durable: bool = True) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        pool_size=1 if writes else READERS,
        max_overflow=0,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
        hide_parameters=True,  # they are what people said, and an error may be logged
        json_serializer=to_json,
        json_deserializer=msgspec.json.decode,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if not writes:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        # A writer takes the lock at once: one that reads first and finds the lock taken could not go on.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
