"""Does one process at a time see to batches, and does it go on whatever fails?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from structlog.testing import capture_logs
from tests.unit.worker.conftest import Clock

from healing_eval.backends.lease.memory import MemoryLease
from healing_eval.errors import BackendError
from healing_eval.gateway.batches import Batches
from healing_eval.testing.waiting import wait_until
from healing_eval.worker.batches import NAME, TURN_SECONDS, see_to_batches
from healing_eval.worker.turn import Turn


class Rounds:
    """Counts rounds; fails as it is told to."""

    def __init__(self) -> None:
        self.done = 0
        self.errors: list[Exception] = []

    async def round(self) -> None:
        self.done += 1
        if self.errors:
            raise self.errors.pop(0)


@asynccontextmanager
async def seen_to(rounds: Any, lease: MemoryLease, holder: str) -> AsyncGenerator[None]:
    stop = asyncio.Event()
    turn = Turn(lease, holder, NAME)
    task = asyncio.create_task(see_to_batches(cast("Batches", rounds), turn, stop, every_seconds=0.01))
    yield
    stop.set()
    await task


async def until(holds: Callable[[], bool]) -> None:
    async def held() -> bool:
        return holds()

    await wait_until(held)


async def test_one_process_does_it_and_another_takes_over_when_it_stops(lease: MemoryLease) -> None:
    first, second = Rounds(), Rounds()
    async with seen_to(first, lease, "host-1"):
        await until(lambda: first.done > 0)
        async with seen_to(second, lease, "host-2"):
            await until(lambda: first.done > 3)
            meanwhile = second.done
        async with seen_to(second, lease, "host-2"):
            pass
    async with seen_to(second, lease, "host-2"):
        await until(lambda: second.done > 0)

    assert meanwhile == 0


async def test_the_turn_of_a_process_that_died_runs_out(lease: MemoryLease, clock: Clock) -> None:
    rounds = Rounds()
    await Turn(lease, "dead", NAME).is_ours(TURN_SECONDS)
    clock.now += TURN_SECONDS + 1

    async with seen_to(rounds, lease, "host-2"):
        await until(lambda: rounds.done > 0)


@pytest.mark.parametrize(
    ("error", "event"), [(BackendError("down"), "batches.interrupted"), (ValueError("said"), "batches.crashed")]
)
async def test_whatever_fails_it_goes_on_and_tells_nothing_of_what_was_said(
    lease: MemoryLease, error: Exception, event: str
) -> None:
    rounds = Rounds()
    rounds.errors = [error]
    with capture_logs() as logs:
        async with seen_to(rounds, lease, "host-1"):
            await until(lambda: rounds.done > 2)

    assert [one["event"] for one in logs] == [event]
    assert "said" not in str(logs)
