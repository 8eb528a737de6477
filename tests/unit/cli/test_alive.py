"""Do parent and child notice what becomes of the other?"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from io import FileIO

import pytest

from healing_eval.cli.alive import under_parent, until_silent

BEAT_SECONDS = 0.01
LONG_SECONDS = 20.0


@pytest.fixture
def pipe() -> Iterator[tuple[FileIO, int]]:
    """The parent's end as a file, and the number of the child's."""
    heard, told = os.pipe()
    with FileIO(heard) as signs:
        yield signs, told


def fill(told: int) -> None:
    os.set_blocking(told, False)
    while True:
        try:
            os.write(told, b"." * 4096)
        except BlockingIOError:
            return


async def test_a_child_that_falls_silent_is_noticed(pipe: tuple[FileIO, int]) -> None:
    signs, told = pipe
    os.write(told, b".")

    async with asyncio.timeout(LONG_SECONDS):
        await until_silent(signs, 3 * BEAT_SECONDS, beat_seconds=BEAT_SECONDS)

    os.close(told)


async def test_a_child_that_gives_signs_is_left_alone_until_it_gives_none(pipe: tuple[FileIO, int]) -> None:
    signs, told = pipe
    may_end = asyncio.Event()

    async def work(stop: asyncio.Event) -> None:
        await may_end.wait()

    child = asyncio.create_task(under_parent(told, work, beat_seconds=BEAT_SECONDS / 10))
    silent = asyncio.create_task(until_silent(signs, 20 * BEAT_SECONDS, beat_seconds=BEAT_SECONDS))
    await asyncio.sleep(60 * BEAT_SECONDS)
    silent_before = silent.done()
    may_end.set()
    await child

    async with asyncio.timeout(LONG_SECONDS):
        await silent
    assert not silent_before


@pytest.mark.parametrize("most_seconds", [0.0, 2 * BEAT_SECONDS])
async def test_nobody_is_taken_for_dead_without_limit_or_before_it_has_started(
    pipe: tuple[FileIO, int], most_seconds: float
) -> None:
    signs, told = pipe

    silent = asyncio.create_task(until_silent(signs, most_seconds, beat_seconds=BEAT_SECONDS))
    done, _ = await asyncio.wait({silent}, timeout=20 * BEAT_SECONDS)
    silent.cancel()

    assert not done
    os.close(told)


async def test_time_in_which_the_parent_stood_still_as_well_does_not_count(pipe: tuple[FileIO, int]) -> None:
    signs, told = pipe
    os.write(told, b".")
    silent = asyncio.create_task(until_silent(signs, 20 * BEAT_SECONDS, beat_seconds=BEAT_SECONDS))
    await asyncio.sleep(2 * BEAT_SECONDS)

    time.sleep(40 * BEAT_SECONDS)  # noqa: ASYNC251 - stands for a host that is frozen
    await asyncio.sleep(2 * BEAT_SECONDS)

    assert not silent.done()
    silent.cancel()
    os.close(told)


async def test_a_child_whose_parent_is_gone_stops(pipe: tuple[FileIO, int]) -> None:
    signs, told = pipe

    child = asyncio.create_task(under_parent(told, wait_for, beat_seconds=BEAT_SECONDS))
    signs.close()

    async with asyncio.timeout(LONG_SECONDS):
        await child


async def test_a_parent_that_reads_nothing_holds_up_nobody(pipe: tuple[FileIO, int]) -> None:
    _, told = pipe
    fill(told)
    turns = 0

    async def work(stop: asyncio.Event) -> None:
        nonlocal turns
        while turns < 5:
            await asyncio.sleep(BEAT_SECONDS)
            turns += 1

    async with asyncio.timeout(LONG_SECONDS):
        await under_parent(told, work, beat_seconds=BEAT_SECONDS)

    assert turns == 5


async def test_without_a_parent_the_work_is_simply_done() -> None:
    done: list[bool] = []

    async def work(stop: asyncio.Event) -> None:
        done.append(stop.is_set())

    await under_parent(None, work)

    assert done == [False]


async def wait_for(stop: asyncio.Event) -> None:
    await stop.wait()
