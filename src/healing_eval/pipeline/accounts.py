"""What do this process and all others spend of the budgets?

What is about to be asked is charged before, by what the evaluator's conversations cost on the average so far, and set
right afterwards, by what it did cost. So a process sees what is in the hands of all others, and what dies with one
stays charged: it was asked, and will be billed.

One operation adds what is to be added and tells what is spent. There is one at a time in each process, and what comes
up meanwhile goes with the next: about one for a batch, and one for what became ready together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import msgspec
import structlog

from healing_eval import telemetry
from healing_eval.domain.conversation import Conversation
from healing_eval.errors import BackendError
from healing_eval.pipeline.budget import Budget, Choice, Cost, State, choose, spent_share, state_of
from healing_eval.ports.spending import Charge, Period, Spending, Spent

log = structlog.get_logger()

LOOK_EVERY_SECONDS = 1.0
"""How old it may be what is known to be spent when something is decided by it."""
REMEMBERED = 100
"""Evaluations in a mean, about: later ones count more."""

_GRAVER: dict[State, int] = {"ok": 0, "soft": 1, "spent": 2}


class Reservation(msgspec.Struct, frozen=True):
    """What was charged for one conversation before it was evaluated."""

    evaluator: str
    each: Cost
    periods: tuple[tuple[Budget, str], ...]
    """Each budget it was charged to, and in which of its periods."""


class Admission(msgspec.Struct, frozen=True):
    """What was decided about one conversation; with a reservation if it was chosen."""

    choice: Choice
    reservation: Reservation | None = None


class _Known(msgspec.Struct, frozen=True):
    spent: Spent
    at: float


class Accounts:
    """The budgets, as one process sees and charges them."""

    def __init__(
        self, budgets: Sequence[Budget], spending: Spending, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the budgets, who counts for all processes, and a clock that never goes back, in seconds."""
        self._budgets = tuple(budgets)
        self._spending = spending
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._told: dict[str, tuple[str, State]] = {}
        self._unpriced: set[str] = set()
        self._pending: dict[tuple[str, str], Cost] = {}
        self._means: dict[str, _Mean] = {}
        self._turn = asyncio.Lock()
        self._flushing: asyncio.Task[None] | None = None

    def covering(self, evaluator: str, project: str) -> tuple[Budget, ...]:
        """List the budgets that pay for what an evaluator looks at in a project."""
        return tuple(one for one in self._budgets if one.covers(evaluator, project))

    def covers(self, evaluator: str) -> bool:
        """Whether a budget pays for this evaluator, in one project at least."""
        return any(one.evaluator in (None, evaluator) for one in self._budgets)

    async def admit(self, evaluator: str, conversations: Sequence[Conversation]) -> list[Admission]:
        """Decide which of these are evaluated, and charge what they are expected to cost.

        Raises:
            BackendError: what is spent cannot be found out, so nobody may spend.
        """
        of_project = {name: self.covering(evaluator, name) for name in {one.project for one in conversations}}
        budgets = {one.name: one for some in of_project.values() for one in some}
        each = self._mean(evaluator).each
        async with self._turn:
            if not self._is_fresh(budgets):
                await self._exchange(budgets)
            wanted = [(one.key, of_project[one.project]) for one in conversations]
            spent = {name: self._known[name].spent for name in budgets}
            choices = choose(wanted, evaluator, spent, each)
            paying = [some for choice, (_, some) in zip(choices, wanted, strict=True) if choice.chosen]
            if each.nanodollars or each.tokens:
                await self._reserve([one.name for some in paying for one in some], each)
        periods = {
            name: tuple((one, self._known[one.name].spent.period) for one in some) for name, some in of_project.items()
        }
        return [
            Admission(choice, Reservation(evaluator, each, periods[one.project]) if choice.chosen else None)
            for choice, one in zip(choices, conversations, strict=True)
        ]

    def settle(self, reservation: Reservation, cost: Cost, *, typical: bool = True) -> None:
        """Charge what an evaluation did cost instead of what was expected.

        Args:
            reservation: what was charged before.
            cost: what is not known is not charged, and counted as such.
            typical: whether what comes is likely to cost about the same.
        """
        if typical:
            self._mean(reservation.evaluator).add(cost)
        expected = reservation.each
        too_little = Cost(
            (cost.nanodollars or 0) - (expected.nanodollars or 0), (cost.tokens or 0) - (expected.tokens or 0)
        )
        for budget, period in reservation.periods:
            self._note_unknown(budget, reservation.evaluator, cost)
            self._add_pending(budget.name, period, too_little)
        if self._pending and (self._flushing is None or self._flushing.done()):
            self._flushing = asyncio.create_task(self._flush())
            self._flushing.add_done_callback(self._flushed)

    async def close(self) -> None:
        """Charge what is left to be charged, and let go of all connections."""
        if self._flushing is not None:
            await asyncio.gather(self._flushing, return_exceptions=True)
        await self._flush()
        await self._spending.close()

    def _mean(self, evaluator: str) -> _Mean:
        return self._means.setdefault(evaluator, _Mean())

    def _is_fresh(self, names: Iterable[str]) -> bool:
        oldest = self._clock() - LOOK_EVERY_SECONDS
        return all(name in self._known and self._known[name].at >= oldest for name in names)

    async def _reserve(self, names: Sequence[str], each: Cost) -> None:
        """Charge as many times what one costs as a budget is named."""
        counts = {name: names.count(name) for name in dict.fromkeys(names)}
        if not counts:
            return
        for name, count in counts.items():
            expected = Cost((each.nanodollars or 0) * count, (each.tokens or 0) * count)
            self._add_pending(name, self._known[name].spent.period, expected)
        await self._exchange(counts)

    def _add_pending(self, name: str, period: str, cost: Cost) -> None:
        before = self._pending.get((name, period), Cost())
        after = Cost((before.nanodollars or 0) + (cost.nanodollars or 0), (before.tokens or 0) + (cost.tokens or 0))
        self._pending[name, period] = after
        if after == Cost():
            del self._pending[name, period]

    async def _exchange(self, names: Iterable[str]) -> None:
        """Charge all there is to be charged, and find out what is spent of these; while it fails, it stays to be done.

        Raises:
            BackendError: it may be charged or not, and will be once more: rather twice than never.
        """
        taken, self._pending = self._pending, {}
        periods: dict[str, Period] = {one.name: one.period for one in self._budgets}
        charges = [
            Charge(name, periods[name], cost.nanodollars or 0, cost.tokens or 0, only_in)
            for (name, only_in), cost in taken.items()
        ]
        charges += [Charge(name, periods[name]) for name in names if name not in {one.budget for one in charges}]
        try:
            spent = await self._spending.charge(charges)
        except BaseException:
            for (name, only_in), cost in taken.items():
                self._add_pending(name, only_in, cost)
            raise
        now = self._clock()
        for charge, found in zip(charges, spent, strict=True):
            self._known[charge.budget] = _Known(found, now)
        self._tell({charge.budget for charge in charges})

    async def _flush(self) -> None:
        async with self._turn:
            with suppress(BackendError):  # then it goes with the next
                while self._pending:
                    await self._exchange(())

    def _flushed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("budget.crashed", kind=type(error).__name__)

    def _tell(self, names: Iterable[str]) -> None:
        """Show how much is spent, and log each limit that is reached, once in a period."""
        for budget in self._budgets:
            if budget.name not in names:
                continue
            spent = self._known[budget.name].spent
            share = spent_share(budget, spent)
            telemetry.BUDGET_SPENT.labels(budget.name).set(share)
            state = state_of(budget, share)
            period, before = self._told.get(budget.name, (spent.period, "ok"))
            if period != spent.period:
                before = "ok"
            if _GRAVER[state] > _GRAVER[before]:
                log.warning(f"budget.{_EVENTS[state]}", budget=budget.name, period=spent.period, share=round(share, 3))
                before = state
            self._told[budget.name] = spent.period, before

    def _note_unknown(self, budget: Budget, evaluator: str, cost: Cost) -> None:
        for unit, limit, known in (
            ("dollars", budget.nanodollars, cost.nanodollars),
            ("tokens", budget.tokens, cost.tokens),
        ):
            if limit is None or known is not None:
                continue
            telemetry.BUDGET_UNKNOWN.labels(budget.name, evaluator, unit).inc()
            if budget.name not in self._unpriced:
                self._unpriced.add(budget.name)
                log.warning("budget.not_charged", budget=budget.name, evaluator=evaluator, unknown=unit)


_EVENTS: dict[State, str] = {"ok": "restored", "soft": "nearly_spent", "spent": "spent"}


class _Mean:
    """What an evaluation costs on the average; nothing while nobody knows."""

    def __init__(self) -> None:
        self._nanodollars = _Average()
        self._tokens = _Average()

    @property
    def each(self) -> Cost:
        return Cost(round(self._nanodollars.value), round(self._tokens.value))

    def add(self, cost: Cost) -> None:
        if cost.nanodollars is not None:
            self._nanodollars.add(cost.nanodollars)
        if cost.tokens is not None:
            self._tokens.add(cost.tokens)


class _Average:
    def __init__(self) -> None:
        self.value = 0.0
        self._count = 0

    def add(self, amount: int) -> None:
        self._count = min(self._count + 1, REMEMBERED)
        self.value += (amount - self.value) / self._count
