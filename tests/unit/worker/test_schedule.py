from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.unit.worker.conftest import Clock

from healing_eval.backends.lease.memory import MemoryLease
from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.errors import BackendError
from healing_eval.testing.builders import PROJECT
from healing_eval.testing.contract_retention import MonthClock, accept, judge
from healing_eval.worker.schedule import AGAIN_SECONDS, EVERY_SECONDS, Daily, keep_house
from healing_eval.worker.turn import Turn


class Chore:
    """Counts how often it was done; fails as it is told to."""

    def __init__(self) -> None:
        self.done = 0
        self.error: Exception | None = None

    async def __call__(self) -> None:
        self.done += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def chore() -> Chore:
    return Chore()


@pytest.fixture
def daily(chore: Chore, lease: MemoryLease, clock: Clock) -> Daily:
    return Daily(chore, Turn(lease, "host-1", "x"), clock)


async def looks(daily: Daily, clock: Clock, chore: Chore, *seconds: float) -> list[int]:
    """Look after so many seconds each time; tells how often the chore was done by then."""
    counts: list[int] = []
    for pause in seconds:
        clock.now += pause
        await daily.look(asyncio.Event())
        counts.append(chore.done)
    return counts


async def test_a_chore_is_done_at_once_and_then_daily(daily: Daily, clock: Clock, chore: Chore) -> None:
    assert await looks(daily, clock, chore, 0, 60, EVERY_SECONDS - 61, 1, 60, EVERY_SECONDS) == [1, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("error", "event"), [(BackendError("lock"), "schedule.failed"), (ValueError("ours"), "schedule.crashed")]
)
async def test_a_chore_that_fails_is_told_of_and_done_again_sooner(
    daily: Daily, clock: Clock, chore: Chore, error: Exception, event: str
) -> None:
    chore.error = error

    with capture_logs() as logs:
        counts = await looks(daily, clock, chore, 0, 60, AGAIN_SECONDS - 60)

    assert counts == [1, 1, 2]
    assert [one["event"] for one in logs] == [event] * 2
    chore.error = None
    assert await looks(daily, clock, chore, AGAIN_SECONDS, AGAIN_SECONDS) == [3, 3]


async def test_of_two_processes_one_does_it_and_the_other_takes_over(
    daily: Daily, lease: MemoryLease, clock: Clock, chore: Chore
) -> None:
    other = Daily(chore, Turn(lease, "host-2", "x"), clock)
    await daily.look(asyncio.Event())

    while_held = await looks(other, clock, chore, 0, 60)
    after_its_death = await looks(other, clock, chore, 600)

    assert (while_held, after_its_death) == ([1, 1], [2])


async def test_a_lease_that_cannot_be_had_is_told_of_and_nothing_is_done(clock: Clock, chore: Chore) -> None:
    class Gone(MemoryLease):
        async def acquire(self, name: str, holder: str, seconds: float) -> int | None:
            raise BackendError("Redis is down")

    with capture_logs() as logs:
        await Daily(chore, Turn(Gone(), "host-1", "x"), clock).look(asyncio.Event())

    assert chore.done == 0
    assert [one["event"] for one in logs] == ["schedule.interrupted"]


async def test_it_stops_in_the_middle_of_a_chore_and_gives_the_turn_back(lease: MemoryLease, clock: Clock) -> None:
    begun, stop = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.sleep(3600)

    running = asyncio.create_task(Daily(endless, Turn(lease, "host-1", "x"), clock).run(stop))
    await begun.wait()
    stop.set()
    await running

    assert await Turn(lease, "host-2", "x").is_ours(60)


async def test_which_months_are_old_is_said_by_the_clock_of_the_store(tmp_path: Path, lease: MemoryLease) -> None:
    in_2031 = MonthClock()
    ledger = SqliteLedger(f"sqlite:///{tmp_path}/store.db", in_2031)
    await ledger.open()
    await judge(ledger, await accept(ledger))

    kept: list[bool] = []
    for _ in range(3):
        await keep_house(ledger, None, 1, Turn(lease, "host-1", "retain"))
        kept.append(await ledger.find(PROJECT, "c-1") is not None)
        in_2031.a_month_later()

    await ledger.close()
    assert kept == [True, True, False]
