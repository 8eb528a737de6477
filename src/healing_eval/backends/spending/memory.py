"""What is spent, within one process? Forgotten with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Self

from healing_eval.ports.spending import Charge, Period, Spent


class MemorySpending:
    """A `Spending` for one process: `memory://`."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Take a clock that gives UTC."""
        self._clock = clock
        self._spent: dict[str, Spent] = {}

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls()

    async def charge(self, charges: Sequence[Charge]) -> Sequence[Spent]:
        now = self._clock()
        for one in charges:
            self._add(one, _period_of(now, one.period))
        return [self._spent[one.budget] for one in charges]

    async def close(self) -> None:
        self._spent.clear()

    def _add(self, charge: Charge, period: str) -> None:
        spent = self._spent.get(charge.budget)
        if spent is None or spent.period != period:
            spent = Spent(period)
        if charge.only_in in (None, period):
            nanodollars = max(0, spent.nanodollars + charge.nanodollars)
            spent = Spent(period, nanodollars, max(0, spent.tokens + charge.tokens))
        self._spent[charge.budget] = spent


def _period_of(now: datetime, period: Period) -> str:
    return f"{now:%Y-%m-%d}" if period == "day" else f"{now:%Y-%m}"
