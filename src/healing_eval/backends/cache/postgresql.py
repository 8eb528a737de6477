"""What was found before, on a PostgreSQL server, for many processes?"""

from __future__ import annotations

from typing import Self

from healing_eval.backends.sql.cache import SqlCache
from healing_eval.backends.sql.postgresql import PostgresqlDatabase

CONNECTIONS = 4
"""Most of a process where the address does not say; the store has its own, and each question is short."""


class PostgresqlCache(SqlCache):
    """A `Cache` on PostgreSQL, which may be the store's: `postgresql://user:password@host:port/database`."""

    def __init__(self, url: str) -> None:
        super().__init__(PostgresqlDatabase(url, setting="cache_url", connections=CONNECTIONS))

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(url)
