"""Is given up what takes too long, and nothing else?"""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from healing_eval.evaluators.judge.deadline import Deadline


async def _hang_within(deadline: Deadline, pause: float = 0.0) -> float:
    """Hang, and tell after how many seconds it was given up."""
    await asyncio.sleep(pause)
    began = time.monotonic()
    with pytest.raises(TimeoutError), deadline.within():
        await asyncio.Event().wait()
    return time.monotonic() - began


async def _hang(deadline: Deadline) -> None:
    with deadline.within():
        await asyncio.Event().wait()


async def test_each_has_its_whole_time_whenever_it_began() -> None:
    deadline = Deadline(0.05)

    took = await asyncio.gather(*(_hang_within(deadline, pause) for pause in (0.0, 0.0, 0.03, 0.2)))

    assert min(took) >= 0.049  # the clocks differ by less than a millisecond


async def test_what_is_done_in_time_is_left_alone() -> None:
    deadline = Deadline(0.02)

    with deadline.within():
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    others = await asyncio.gather(_hang_within(deadline), _hang_within(deadline))

    assert len(others) == 2


async def test_who_has_no_deadline_is_never_given_up() -> None:
    task = asyncio.create_task(_hang(Deadline(math.inf)))
    done, _ = await asyncio.wait([task], timeout=0.05)
    task.cancel()

    assert not done


async def test_a_task_that_somebody_cancels_is_cancelled() -> None:
    task = asyncio.create_task(_hang(Deadline(30.0)))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_somebody_cancels_as_its_time_is_up_is_cancelled() -> None:
    task = asyncio.create_task(_hang(Deadline(0.01)))
    asyncio.get_running_loop().call_later(0.01, task.cancel)
    await asyncio.sleep(0)
    time.sleep(0.03)  # noqa: ASYNC251 - both timers are due when the loop looks next

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_its_own_is_told_as_it_is() -> None:
    with pytest.raises(KeyError), Deadline(30.0).within():
        raise KeyError


async def test_nobody_is_given_up_once_it_has_ended() -> None:
    deadline = Deadline(0.01)

    async def work() -> str:
        with deadline.within():
            await asyncio.sleep(0.05)
        return "done"

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    deadline.end()

    assert await task == "done"
