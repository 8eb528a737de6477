"""Where do old months go before they are dropped?

A month is handed over in parts, one for each table. What an archive has taken is read-only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol, Self

import msgspec

from healing_eval.domain.month import Month

Row = Mapping[str, Any]
"""One row by column: numbers, texts, times and JSON values."""


class Part(msgspec.Struct, frozen=True, order=True):
    """The rows of one table in one month."""

    month: Month
    table: str
    rows: int
    """How many there are; at least 1."""
    mark: str
    """Tells these rows from others of the same table and month, which came late. Letters and digits."""


class Archive(Protocol):
    """Takes parts, and gives them back."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make it from its address; nothing is connected yet.

        Raises:
            ConfigError: the address cannot be one.
        """
        ...

    async def keep(self, part: Part, rows: AsyncIterator[Row]) -> str:
        """Keep a part for good, and tell where.

        When this returns, the part is durable. One that is kept already is not written again, and no row is asked for.

        Args:
            part: which rows, and how many.
            rows: the rows themselves, asked for a few at a time.

        Raises:
            BackendError: it could not be kept, or there were more or fewer rows than the part says. What was written
                does not look like a part; the same again may succeed.
        """
        ...

    async def parts(self) -> Sequence[Part]:
        """List what is kept, sorted.

        Raises:
            BackendError: it cannot be read now.
        """
        ...

    def rows(self, part: Part) -> AsyncIterator[Row]:
        """Give the rows of a part, in the order in which they came; times as texts of ISO 8601.

        Raises:
            BackendError: it is not kept, or cannot be read now.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
