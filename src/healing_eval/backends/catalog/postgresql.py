"""Who keeps projects and API keys on a PostgreSQL server, for many processes?"""

from __future__ import annotations

from typing import Self

from healing_eval.backends.sql.catalog import SqlCatalog
from healing_eval.backends.sql.postgresql import PostgresqlDatabase


class PostgresqlCatalog(SqlCatalog):
    """A catalog on PostgreSQL, which may be the ledger's: `postgresql://user:password@host:port/database`."""

    def __init__(self, url: str) -> None:
        super().__init__(PostgresqlDatabase(url))

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(url)
