from __future__ import annotations

import asyncio

import pytest
from tests.unit.worker.conftest import Clock

from healing_eval.backends.lease.memory import MemoryLease
from healing_eval.errors import BackendError
from healing_eval.worker.turn import Turn


async def test_of_two_processes_one_has_the_turn_until_it_gives_it_back(lease: MemoryLease) -> None:
    one, other = Turn(lease, "host-1", "sweep"), Turn(lease, "host-2", "sweep")

    answers = [await one.is_ours(60), await other.is_ours(60), await one.is_ours(60)]
    await other.give_back()
    still = await other.is_ours(60)
    await one.give_back()

    assert (answers, still, await other.is_ours(60)) == ([True, False, True], False, True)


async def test_work_that_lasts_longer_than_the_turn_keeps_it(lease: MemoryLease, clock: Clock) -> None:
    turn, other = Turn(lease, "host-1", "x"), Turn(lease, "host-2", "x")
    assert await turn.is_ours(0.03)
    taken: list[bool] = []

    async def work() -> str:
        for _ in range(5):
            before = lease._grants["x"].until
            clock.now += 0.02  # most of the turn
            while lease._grants["x"].until == before:  # noqa: ASYNC110 - until it was kept
                await asyncio.sleep(0)
            taken.append(await other.is_ours(0.03))
        return "done"

    assert await turn.keep_during(work(), seconds=0.03) == "done"
    assert taken == [False] * 5


async def test_work_is_broken_off_when_the_turn_is_lost(lease: MemoryLease, clock: Clock) -> None:
    turn, other = Turn(lease, "host-1", "x"), Turn(lease, "host-2", "x")
    assert await turn.is_ours(0.03)
    clock.now += 1
    assert await other.is_ours(60)

    assert await turn.keep_during(asyncio.sleep(3600, "done"), seconds=0.03) is None


async def test_work_is_broken_off_by_the_word_to_stop(lease: MemoryLease) -> None:
    turn, stop = Turn(lease, "host-1", "x"), asyncio.Event()
    assert await turn.is_ours(3600)
    begun = asyncio.Event()

    async def work() -> str:
        begun.set()
        await asyncio.sleep(3600)
        return "done"

    doing = asyncio.create_task(turn.keep_during(work(), seconds=3600, stop=stop))
    await begun.wait()
    stop.set()

    assert await doing is None


async def test_what_fails_in_the_work_is_raised(lease: MemoryLease) -> None:
    async def work() -> None:
        raise BackendError("no")

    with pytest.raises(BackendError, match="no"):
        await Turn(lease, "host-1", "x").keep_during(work(), seconds=60)
