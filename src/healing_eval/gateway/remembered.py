"""Who sees to it that a cache which fails or is slow costs money and never a result? Stands in front of the cache."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from healing_eval import telemetry
from healing_eval.errors import BackendError, HealingEvalError
from healing_eval.ports.cache import Cache

WAIT_SECONDS = 2.0
"""More than that nobody waits for what was found before; a model answers in about that time."""
REST_SECONDS = 2.0
"""For how long after such a wait nobody waits again; then one finds out. Not less than the wait."""
LOG_EVERY_SECONDS = 60.0

Done = TypeVar("Done")

log = structlog.get_logger()


class RememberedResults:
    """The `Results` of one evaluator. Nothing of what is remembered is ever logged."""

    def __init__(
        self,
        cache: Cache,
        evaluator: str,
        keep_seconds: float,
        *,
        wait_seconds: float = WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a cache, which others share and somebody else closes.

        Args:
            cache: where results are kept.
            evaluator: its name, which labels the metric.
            keep_seconds: how long a result is remembered, above 0.
            wait_seconds: the most that one look-up or one storing may take.
            clock: never goes back, in seconds.
        """
        self._cache = cache
        self._evaluator = evaluator
        self._keep_seconds = keep_seconds
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._is_slow = False
        self._rests_until = 0.0
        self._silent_until = float("-inf")

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        if not keys:
            return []
        found = await self._within_bounds(lambda: self._look_up(keys))
        if found is None:
            self._count("error", len(keys))
            return [None] * len(keys)
        missing = sum(value is None for value in found)
        self._count("hit", len(found) - missing)
        self._count("miss", missing)
        return found

    async def put(self, entries: Mapping[bytes, bytes]) -> None:
        if entries:
            is_stored = await self._within_bounds(lambda: self._store(entries))
            self._count("stored" if is_stored else "error", len(entries))

    async def _look_up(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        found = await self._cache.get(keys)
        if len(found) != len(keys):
            raise BackendError(f"the cache gave {len(found)} values for {len(keys)} keys")
        return found

    async def _store(self, entries: Mapping[bytes, bytes]) -> bool:
        await self._cache.put(entries, self._keep_seconds)
        return True

    async def _within_bounds(self, ask: Callable[[], Awaitable[Done]]) -> Done | None:
        """Ask the cache; None if it fails, takes too long, or did so a moment ago."""
        started = self._clock()
        if self._is_slow:
            if started < self._rests_until:
                return None
            self._rests_until = started + REST_SECONDS  # one finds out, and meanwhile nobody else waits
        try:
            async with asyncio.timeout(self._wait_seconds):
                answer = await ask()
        except TimeoutError:
            self._note(started, "TimeoutError", f"no answer within {self._wait_seconds:g} s")
        except HealingEvalError as error:
            self._note(started, type(error).__name__, str(error))
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything, with anything in its text
            self._note(started, type(error).__name__, None)
        else:
            self._is_slow = False
            return answer
        return None

    def _note(self, started: float, kind: str, text: str | None) -> None:
        """Spare others the wait if it was one, and tell the operator now and then."""
        now = self._clock()
        self._is_slow = now - started >= self._wait_seconds / 2
        self._rests_until = now + REST_SECONDS
        if now >= self._silent_until:
            self._silent_until = now + LOG_EVERY_SECONDS
            log.warning("result_cache.failed", evaluator=self._evaluator, kind=kind, error=text)

    def _count(self, outcome: str, results: int) -> None:
        if results:
            telemetry.RESULT_CACHE.labels(self._evaluator, outcome).inc(results)
