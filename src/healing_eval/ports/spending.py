"""How much of a budget is spent, in all processes together?

What is spent is counted by budget and period: a day or a month of UTC, by the clock of whoever counts, which all
processes share. With a new period the count begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol, Self

import msgspec

Period = Literal["day", "month"]

NANODOLLARS = 1_000_000_000
"""In a dollar. Amounts are whole numbers, so that however many are added up nothing is rounded away."""


class Charge(msgspec.Struct, frozen=True):
    """What is to be added to a budget; with nothing to add it only asks."""

    budget: str
    """Its name: 1 to 64 letters, digits, dots, dashes and underscores."""
    period: Period
    nanodollars: int = 0
    """Below 0 to take back what was charged too much."""
    tokens: int = 0
    """Below 0 as well."""
    only_in: str | None = None
    """The one period it belongs to, as `Spent.period` names it: it is dropped once that is over. None: the current."""


class Spent(msgspec.Struct, frozen=True):
    """What is spent of a budget in the current period."""

    period: str
    """Such as 2026-07-18 or 2026-07."""
    nanodollars: int = 0
    """At least 0."""
    tokens: int = 0
    """At least 0."""

    def after(self, charge: Charge, period: str) -> Spent:
        """Tell what is spent after a charge, in a period which may be a new one."""
        before = self if self.period == period else Spent(period)
        if charge.only_in not in (None, period):
            return before
        nanodollars, tokens = before.nanodollars + charge.nanodollars, before.tokens + charge.tokens
        return Spent(period, max(0, nanodollars), max(0, tokens))


def period_of(moment: datetime, period: Period) -> str:
    """Name the period that a moment of UTC is in."""
    return f"{moment:%Y-%m-%d}" if period == "day" else f"{moment:%Y-%m}"


class Spending(Protocol):
    """Counts what is spent."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make it from its address; nothing is connected yet.

        Raises:
            ConfigError: the address cannot be one.
        """
        ...

    async def charge(self, charges: Sequence[Charge]) -> Sequence[Spent]:
        """Add all of these in one step, and tell for each what is then spent of its budget, in their order.

        Two charges of one budget name the same kind of period.

        Raises:
            BackendError: it is not known whether they were added.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
