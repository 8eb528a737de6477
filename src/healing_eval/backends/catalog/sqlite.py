"""Who keeps projects and API keys in one file, with nothing installed?"""

from __future__ import annotations

from typing import Self

from healing_eval.backends.sql.catalog import SqlCatalog
from healing_eval.backends.sql.sqlite import make_folder, sqlite_database


class SqliteCatalog(SqlCatalog):
    """A catalog in a SQLite file, which may be the ledger's: `sqlite:///relative`, `sqlite:////absolute`."""

    def __init__(self, url: str) -> None:
        super().__init__(sqlite_database(url))
        self._url = url

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(url)

    async def open(self) -> None:
        make_folder(self._url)
        await super().open()
