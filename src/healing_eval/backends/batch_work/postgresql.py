"""Where do questions wait for a batch, on a PostgreSQL server, for many processes?"""

from __future__ import annotations

from typing import Self

from healing_eval.backends.sql.batch_work import SqlBatchWork
from healing_eval.backends.sql.postgresql import PostgresqlDatabase

CONNECTIONS = 2
"""Most of a process where the address does not say: who looks at the same moment shares a statement."""


class PostgresqlBatchWork(SqlBatchWork):
    """A `BatchWork` in the store on PostgreSQL: `postgresql://user:password@host:port/database`."""

    def __init__(self, url: str) -> None:
        super().__init__(PostgresqlDatabase(url, setting="store_url", connections=CONNECTIONS))

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(url)
