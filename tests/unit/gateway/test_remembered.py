"""Does a cache that fails, or is slow, cost no more than what it would have saved?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from healing_eval.backends.cache.memory import MemoryCache
from healing_eval.errors import BackendError
from healing_eval.gateway.remembered import LOG_EVERY_SECONDS, REST_SECONDS, RememberedResults
from healing_eval.ports.cache import Cache
from healing_eval.telemetry import REGISTRY
from healing_eval.testing.contract_cache import key_of

SECRET = "what people said"


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Faulty:
    """A cache that does as it is told: fails at once, after a while, or never answers."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.fault: Exception | None = None
        self.takes_seconds = 0.0
        self.hangs = False
        self.asked = 0
        self.real = MemoryCache()

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        await self._behave()
        return await self.real.get(keys)

    async def put(self, entries: Mapping[bytes, bytes], keep_seconds: float) -> None:
        await self._behave()
        await self.real.put(entries, keep_seconds)

    async def _behave(self) -> None:
        self.asked += 1
        self.clock.seconds += self.takes_seconds
        if self.hangs:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault


class Short:
    """A cache that loses count."""

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        return [b"of somebody else"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> Faulty:
    return Faulty(clock)


def over(cache: Any, clock: Clock, evaluator: str = "judge", wait_seconds: float = 60.0) -> RememberedResults:
    return RememberedResults(cast("Cache", cache), evaluator, 60.0, wait_seconds=wait_seconds, clock=clock)


def counted(evaluator: str) -> dict[str, float]:
    return {
        sample.labels["outcome"]: sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "healing_eval_result_cache_total" and sample.labels["evaluator"] == evaluator
    }


async def test_what_was_stored_is_found_and_all_is_counted(cache: Faulty, clock: Clock) -> None:
    results = over(cache, clock, "counted")

    await results.put({key_of("a"): b"of a", key_of("b"): b"of b"})
    found = await results.get([key_of("a"), key_of("c"), key_of("b"), key_of("d"), key_of("e")])

    assert list(found) == [b"of a", None, b"of b", None, None]
    assert counted("counted") == {"stored": 2, "hit": 2, "miss": 3}


async def test_evaluators_share_one_cache(cache: Faulty, clock: Clock) -> None:
    await over(cache, clock, "one").put({key_of("a"): b"of a"})

    assert list(await over(cache, clock, "another").get([key_of("a")])) == [b"of a"]


async def test_nothing_costs_nothing(cache: Faulty, clock: Clock) -> None:
    results = over(cache, clock, "idle")

    await results.put({})

    assert list(await results.get([])) == []
    assert (cache.asked, counted("idle")) == (0, {})


@pytest.mark.parametrize("fault", [BackendError("redis at host: refused"), OSError("down"), KeyError("a bug")])
async def test_whatever_a_cache_raises_is_a_miss(cache: Faulty, clock: Clock, fault: Exception) -> None:
    results = over(cache, clock, name := f"failing-{type(fault).__name__}")
    cache.fault = fault

    await results.put({key_of("a"): b"of a"})
    found = await results.get([key_of("a"), key_of("b")])

    assert list(found) == [None, None]
    assert counted(name) == {"error": 3}


async def test_a_cache_that_loses_count_is_not_believed(clock: Clock) -> None:
    found = await over(Short(), clock).get([key_of("a"), key_of("b")])

    assert list(found) == [None, None]


async def test_a_cache_that_never_answers_is_a_miss(cache: Faulty, clock: Clock) -> None:
    results = over(cache, clock, wait_seconds=0.01)
    cache.hangs = True

    await results.put({key_of("a"): b"of a"})

    assert list(await results.get([key_of("a")])) == [None]


async def test_who_is_cancelled_while_it_waits_is_cancelled(cache: Faulty, clock: Clock) -> None:
    cache.hangs = True
    waiting = asyncio.create_task(over(cache, clock).get([key_of("a")]))
    await asyncio.sleep(0)

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_cache_that_fails_at_once_is_asked_each_time(cache: Faulty, clock: Clock) -> None:
    results = over(cache, clock)
    cache.fault = BackendError("redis at host: OOM")

    for _ in range(5):
        await results.get([key_of("a")])

    assert cache.asked == 5


async def test_after_a_long_wait_nobody_waits_until_one_finds_out(cache: Faulty, clock: Clock) -> None:
    results = over(cache, clock, wait_seconds=2.0)
    await results.put({key_of("a"): b"of a"})
    cache.fault, cache.takes_seconds, cache.asked = BackendError("redis at host: no answer"), 1.5, 0

    for _ in range(5):
        await results.get([key_of("a")])
    asked_at_first = cache.asked
    clock.seconds += REST_SECONDS
    for _ in range(5):
        await results.get([key_of("a")])
    asked_after_the_rest = cache.asked
    cache.fault, cache.takes_seconds = None, 0.0
    clock.seconds += REST_SECONDS

    assert (asked_at_first, asked_after_the_rest) == (1, 2)
    assert [list(await results.get([key_of("a")])) for _ in range(2)] == [[b"of a"]] * 2


async def test_while_one_finds_out_nobody_else_waits(cache: Faulty, clock: Clock) -> None:
    results = over(cache, clock, wait_seconds=2.0)
    cache.fault, cache.takes_seconds = BackendError("redis at host: no answer"), 1.5
    await results.get([key_of("a")])
    clock.seconds += REST_SECONDS
    cache.hangs, cache.takes_seconds, cache.asked = True, 0.0, 0
    finding_out = asyncio.create_task(results.get([key_of("a")]))
    await asyncio.sleep(0)

    others = [list(await results.get([key_of("a")])) for _ in range(3)]

    finding_out.cancel()
    assert (cache.asked, others) == (1, [[None]] * 3)


async def test_it_is_told_once_a_minute_and_never_what_was_remembered(cache: Faulty, clock: Clock) -> None:
    results = over(cache, clock)
    cache.fault = BackendError("redis at host: OOM")
    said: list[Any] = []

    with capture_logs() as told:
        for fault in (BackendError("redis at host: OOM"), ValueError(SECRET), ValueError(SECRET)):
            cache.fault = fault
            for _ in range(3):
                await results.put({key_of("a"): SECRET.encode()})
                await results.get([key_of("a")])
            said.append(len(told))
            clock.seconds += LOG_EVERY_SECONDS

    assert said == [1, 2, 3]
    assert [(line["event"], line["kind"], line["error"]) for line in told[:2]] == [
        ("result_cache.failed", "BackendError", "redis at host: OOM"),
        ("result_cache.failed", "ValueError", None),
    ]
    assert SECRET not in str(told)
