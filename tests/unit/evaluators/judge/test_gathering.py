"""Is what many ask for at the same time done together, and does each get its own?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from healing_eval.evaluators.judge.gathering import Gatherer


class Workshop:
    """Doubles numbers, and writes down what it was given at once."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.given: list[tuple[str, list[int]]] = []
        self.stopped = 0
        self._seconds = seconds

    async def double(self, group: str, numbers: Sequence[int]) -> Sequence[int]:
        self.given.append((group, list(numbers)))
        try:
            await asyncio.sleep(self._seconds)
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        if 13 in numbers:
            raise ValueError("13")
        return [2 * number for number in numbers]


async def test_what_comes_together_is_done_together_up_to_the_most_and_never_across_groups() -> None:
    shop = Workshop()
    gatherer = Gatherer(shop.double, most=3, wait_seconds=0.01)

    asked = [gatherer.do("even" if number % 2 == 0 else "odd", number) for number in range(8)]

    assert await asyncio.gather(*asked) == [2 * number for number in range(8)]
    assert sorted(shop.given) == [("even", [0, 2, 4]), ("even", [6]), ("odd", [1, 3, 5]), ("odd", [7])]


async def test_who_is_alone_waits_no_longer_than_it_may() -> None:
    shop = Workshop()

    assert await Gatherer(shop.double, most=1000, wait_seconds=0.0).do("all", 21) == 42


async def test_a_failure_is_everybodys_of_that_call_and_of_no_other() -> None:
    shop = Workshop()
    gatherer = Gatherer(shop.double, most=2, wait_seconds=0.01)

    given = await asyncio.gather(*(gatherer.do("all", number) for number in (1, 13, 2, 3)), return_exceptions=True)

    assert [type(one) for one in given] == [ValueError, ValueError, int, int]


async def test_who_gives_up_before_it_begins_is_left_out_and_later_disturbs_nobody() -> None:
    shop = Workshop(seconds=0.01)
    gatherer = Gatherer(shop.double, most=10, wait_seconds=0.005)
    early, late, kept = (asyncio.create_task(gatherer.do("all", number)) for number in (1, 2, 3))
    await asyncio.sleep(0)
    early.cancel()
    await asyncio.sleep(0.007)
    late.cancel()

    assert await kept == 6
    assert shop.given == [("all", [2, 3])]


async def test_work_that_nobody_waits_for_is_stopped() -> None:
    shop = Workshop(seconds=60.0)
    gatherer = Gatherer(shop.double, most=2, wait_seconds=0.0)
    tasks = [asyncio.create_task(gatherer.do("all", number)) for number in (1, 2)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.01)

    assert shop.stopped == 1


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
async def test_many_at_once_each_get_their_own(count: int) -> None:
    gatherer = Gatherer(Workshop().double, most=count, wait_seconds=0.0)

    given = await asyncio.gather(*(gatherer.do("all", number) for number in range(1000, 1200)))

    assert given == [2 * number for number in range(1000, 1200)]
