"""Who keeps conversations on a PostgreSQL server, for many processes?"""

from __future__ import annotations

from typing import Self

from healing_eval.backends.sql.ledger import Clock, SqlLedger, utc_now
from healing_eval.backends.sql.postgresql import PostgresqlDatabase


class PostgresqlLedger(SqlLedger):
    """A ledger on PostgreSQL 14 or newer: `postgresql://user:password@host:port/database`."""

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        super().__init__(PostgresqlDatabase(url), clock)

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(url)
