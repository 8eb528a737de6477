"""Who keeps conversations in one file, with nothing installed?"""

from __future__ import annotations

from typing import Self

from healing_eval.backends.sql.clock import Clock, utc_now
from healing_eval.backends.sql.ledger import SqlLedger
from healing_eval.backends.sql.migrate import HEAD
from healing_eval.backends.sql.months import Months
from healing_eval.backends.sql.sqlite import is_there, make_folder, sqlite_database
from healing_eval.ports.ledger import Schema


class SqliteLedger(SqlLedger):
    """A ledger in a SQLite file: `sqlite:///relative/path`, `sqlite:////absolute/path`.

    What was added survives a kill of the process and a power cut: each commit has reached the disk when it returns.
    """

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        database = sqlite_database(url)
        super().__init__(database, Months(database), clock)
        self._url = url

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(url)

    async def schema(self) -> Schema:
        return await super().schema() if is_there(self._url) else Schema(None, HEAD)  # a look would make the file

    async def open(self) -> None:
        make_folder(self._url)
        await super().open()
