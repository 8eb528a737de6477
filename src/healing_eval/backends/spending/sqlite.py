"""What is spent, on one host? In a small file that outlives the process, so that a restart makes no budget anew."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from healing_eval.errors import BackendError, ConfigError
from healing_eval.ports.spending import Charge, Spent, period_of

SCHEME = "sqlite:///"
BUSY_SECONDS = 5.0
"""How long one waits for another process."""

_TABLE = (
    "CREATE TABLE IF NOT EXISTS spending (budget TEXT PRIMARY KEY, period TEXT NOT NULL,"
    " nanodollars INTEGER NOT NULL, tokens INTEGER NOT NULL) WITHOUT ROWID"
)


class SqliteSpending:
    """A `Spending` in a file of its own: `sqlite:///relative`, `sqlite:////absolute`."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Take the file, which is made when needed, and a clock that gives UTC."""
        self._path = path
        self._clock = clock

    @classmethod
    def from_url(cls, url: str) -> Self:
        path = url.removeprefix(SCHEME)
        if path == url or not path:
            raise ConfigError(f"{url!r} must name a file, such as sqlite:///spending.db")
        return cls(Path(path))

    async def charge(self, charges: Sequence[Charge]) -> Sequence[Spent]:
        return await asyncio.to_thread(self._charge, charges)

    async def close(self) -> None:
        """Do nothing: the file is open only while something is charged, which is some times a second."""

    def _charge(self, charges: Sequence[Charge]) -> Sequence[Spent]:
        try:
            self._make_file()
            with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("BEGIN IMMEDIATE")  # what is read is written: nobody else may come between
                connection.execute(_TABLE)
                for one in charges:
                    self._add(connection, one)
                spent = [_find(connection, one.budget) for one in charges]
                connection.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            raise BackendError(f"{self._path}: {error}") from error
        return [one for one in spent if one is not None]

    def _add(self, connection: sqlite3.Connection, charge: Charge) -> None:
        period = period_of(self._clock(), charge.period)
        spent = (_find(connection, charge.budget) or Spent(period)).after(charge, period)
        row = (charge.budget, spent.period, spent.nanodollars, spent.tokens)
        connection.execute("INSERT OR REPLACE INTO spending VALUES (?, ?, ?, ?)", row)

    def _make_file(self) -> None:
        if not self._path.exists():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))


def _find(connection: sqlite3.Connection, budget: str) -> Spent | None:
    found = connection.execute("SELECT period, nanodollars, tokens FROM spending WHERE budget = ?", (budget,))
    row = found.fetchone()
    return None if row is None else Spent(*row)
