"""Who keeps conversations on a PostgreSQL server, for many processes?"""

from __future__ import annotations

from typing import Self

from healing_eval.backends.sql.clock import Clock
from healing_eval.backends.sql.ledger import SqlLedger
from healing_eval.backends.sql.month_tables import MonthTables
from healing_eval.backends.sql.postgresql import PostgresqlDatabase


class PostgresqlLedger(SqlLedger):
    """A ledger on PostgreSQL 14 or newer: `postgresql://user:password@host:port/database?option=value&…`.

    Options: `sslmode` as everywhere; `pool_size`, most connections of a process (10); `connect_timeout` (5) and
    `command_timeout` (15), seconds after which the server counts as hung; `application_name`; `host`, the folder of
    a socket. All times are by the server's clock.
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        """Take its address; a test may say what time it is, instead of the server."""
        database = PostgresqlDatabase(url)
        super().__init__(database, MonthTables(database), clock)

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(url)
