"""Where do questions wait for a batch, in the one file of an embedded store?"""

from __future__ import annotations

from typing import Self

from healing_eval.backends.sql.batch_work import SqlBatchWork
from healing_eval.backends.sql.clock import Clock, utc_now
from healing_eval.backends.sql.sqlite import sqlite_database


class SqliteBatchWork(SqlBatchWork):
    """A `BatchWork` in the store's SQLite file: `sqlite:///relative`, `sqlite:////absolute`."""

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        super().__init__(sqlite_database(url), clock)

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(url)
