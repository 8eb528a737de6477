"""What is spent, within one process? Forgotten with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Self

from healing_eval.ports.spending import Charge, Spent, period_of


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
            period = period_of(now, one.period)
            self._spent[one.budget] = self._spent.get(one.budget, Spent(period)).after(one, period)
        return [self._spent[one.budget] for one in charges]

    async def close(self) -> None:
        self._spent.clear()
