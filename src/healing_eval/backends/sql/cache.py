"""What was found before, on any SQL database?

On a server a look-up is one round trip, and so is a storing: one statement, a transaction by itself, that takes keys
and values as arrays. Everybody writes in the order of the keys, so that those who store the same wait for each other
and never in a circle.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.bulk import raw_connection
from healing_eval.backends.sql.clock import Clock, moment
from healing_eval.backends.sql.engine import Database
from healing_eval.backends.sql.tables import cached_results
from healing_eval.errors import BackendError

SWEEP_EVERY_SECONDS = 10.0
SWEPT_AT_ONCE = 500
"""How many results whose time is over are removed besides as many as are stored, so that they never get more."""
NOT_MIGRATED = (
    "the database has no table cached_results yet: `healing-eval migrate` makes it in the store, and so does the next"
    " start; elsewhere run it once with store_url set to this address"
)

_table = cached_results.c
_FIND = "SELECT key, value FROM cached_results WHERE key = ANY($1::bytea[]) AND expires_at > now()"
_REPLACE = """
INSERT INTO cached_results (key, value, expires_at)
SELECT given.*, now() + $3::interval FROM unnest($1::bytea[], $2::bytea[]) AS given
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""


class SqlCache:
    """A `Cache` on SQLAlchemy Core, in a table of the store's schema, which somebody else has made."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        """Take a database, and what tells the time; None for one on a server, which does so itself."""
        self._database = database
        self._clock = clock
        self._sweep_at = 0.0

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        if not keys:
            return []
        with _missing_table_named():
            async with self._database.look() as connection:
                if self._clock is None:
                    found = dict(await raw_connection(connection).fetch(_FIND, keys))
                else:
                    found = await _find(connection, keys, self._clock())
        return [found.get(key) for key in keys]

    async def put(self, entries: Mapping[bytes, bytes], keep_seconds: float) -> None:
        if not entries:
            return
        in_order, keep = sorted(entries.items()), timedelta(seconds=keep_seconds)
        with _missing_table_named():
            if self._clock is None:
                async with self._database.look() as connection:
                    await raw_connection(connection).execute(_REPLACE, *zip(*in_order, strict=True), keep)
            else:
                async with self._database.write() as connection:
                    await _replace(connection, in_order, self._clock() + keep)
        await self._sweep_now_and_then(len(entries))

    async def close(self) -> None:
        await self._database.close()

    async def _sweep_now_and_then(self, stored: int) -> None:
        """Remove what nobody can be given any more; as long as there is more of it, after each storing."""
        now, most = time.monotonic(), SWEPT_AT_ONCE + stored
        if now < self._sweep_at:
            return
        self._sweep_at = now + SWEEP_EVERY_SECONDS
        try:
            swept = await self._sweep(most)
        except BackendError:  # what was to be stored is, and it is tried again
            return
        if swept == most:
            self._sweep_at = now

    async def _sweep(self, most: int) -> int:
        # Whoever stores one of them anew has it locked; to wait for that might end in a circle.
        now = moment(None if self._clock is None else self._clock())
        over = select(_table.key).where(_table.expires_at <= now).order_by(_table.expires_at)
        chosen = over.limit(most).with_for_update(skip_locked=True)
        async with self._database.write() as connection:
            return (await connection.execute(delete(cached_results).where(_table.key.in_(chosen)))).rowcount


async def _find(connection: AsyncConnection, keys: Sequence[bytes], now: datetime) -> dict[bytes, bytes]:
    wanted = select(_table.key, _table.value).where(_table.key.in_(set(keys)), _table.expires_at > now)
    return {row.key: row.value for row in await connection.execute(wanted)}


async def _replace(connection: AsyncConnection, entries: Sequence[tuple[bytes, bytes]], until: datetime) -> None:
    adding = sqlite.insert(cached_results)
    given = {"value": adding.excluded.value, "expires_at": adding.excluded.expires_at}
    rows = [{"key": key, "value": value, "expires_at": until} for key, value in entries]
    await connection.execute(adding.on_conflict_do_update(index_elements=[_table.key], set_=given), rows)


@contextmanager
def _missing_table_named() -> Generator[None]:
    try:
        yield
    except BackendError as error:
        if _is_about_a_missing_table(error):
            raise BackendError(NOT_MIGRATED) from error
        raise


def _is_about_a_missing_table(error: BackendError) -> bool:
    cause = error.__cause__
    state = getattr(getattr(cause, "orig", cause), "sqlstate", None)
    return state == "42P01" or "no such table" in str(error)
