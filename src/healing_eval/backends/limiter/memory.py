"""Whose turn is it, within one process?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

import msgspec

from healing_eval.ports.limiter import BURST_SECONDS, Need, RateLimit, Turn


class _Next(msgspec.Struct):
    """When all that was reserved will be used up, of each kind, by the clock."""

    requests: float = 0.0
    tokens: float = 0.0


class MemoryLimiter:
    """A `Limiter` for one process: `memory://`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a clock that never goes back, in seconds."""
        self._clock = clock
        self._next: dict[str, _Next] = {}

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls()

    async def reserve(self, name: str, limit: RateLimit, need: Need, longest_wait_seconds: float) -> Turn:
        now, upcoming = self._clock(), self._next.setdefault(name, _Next())
        a_request, a_token = _spacing(limit.requests_per_minute), _spacing(limit.tokens_per_minute)
        requests = max(now, upcoming.requests + need.extra_requests * a_request)
        tokens = max(now, upcoming.tokens + need.extra_tokens * a_token)
        wait = max(0.0, max(requests, tokens) - BURST_SECONDS - now)
        granted = wait <= longest_wait_seconds
        upcoming.requests = requests + granted * a_request
        upcoming.tokens = tokens + granted * need.tokens * a_token
        return Turn(granted, wait)

    async def pause(self, name: str, seconds: float) -> None:
        until = self._clock() + seconds + BURST_SECONDS
        upcoming = self._next.setdefault(name, _Next())
        upcoming.requests = max(upcoming.requests, until)

    async def close(self) -> None:
        self._next.clear()


def _spacing(per_minute: float | None) -> float:
    """Seconds between two; 0 without a limit."""
    return 60.0 / per_minute if per_minute else 0.0
