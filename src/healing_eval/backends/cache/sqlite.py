"""What was found before, in one file that outlives the process?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from healing_eval.backends.sql.cache import NOT_MIGRATED, SqlCache
from healing_eval.backends.sql.clock import Clock, utc_now
from healing_eval.backends.sql.sqlite import is_there, sqlite_database
from healing_eval.errors import BackendError


class SqliteCache(SqlCache):
    """A `Cache` in a SQLite file, which is best the store's: `sqlite:///relative`, `sqlite:////absolute`.

    A power cut may lose the last results, which can be found out again; in return no write waits for the disk.
    """

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        super().__init__(sqlite_database(url, durable=False), clock)
        self._url = url

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(url)

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        self._check_file()
        return await super().get(keys)

    async def put(self, entries: Mapping[bytes, bytes], keep_seconds: float) -> None:
        self._check_file()
        await super().put(entries, keep_seconds)

    def _check_file(self) -> None:
        if not is_there(self._url):  # to connect would make it, and it would be no store
            raise BackendError(NOT_MIGRATED)
