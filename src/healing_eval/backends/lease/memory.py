"""Who may, within one process?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

import msgspec


class _Grant(msgspec.Struct):
    holder: str
    token: int
    until: float


class MemoryLease:
    """A `Lease` for one process: `memory://`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a clock that never goes back, in seconds."""
        self._clock = clock
        self._grants: dict[str, _Grant] = {}
        self._last_token = 0

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls()

    async def acquire(self, name: str, holder: str, seconds: float) -> int | None:
        until = self._clock() + seconds
        grant = self._current(name)
        if grant is not None and grant.holder != holder:
            return None
        if grant is None:
            self._last_token += 1
            grant = self._grants[name] = _Grant(holder, self._last_token, until)
        grant.until = until
        return grant.token

    async def renew(self, name: str, token: int, seconds: float) -> bool:
        grant = self._current(name)
        if grant is None or grant.token != token:
            return False
        grant.until = self._clock() + seconds
        return True

    async def release(self, name: str, token: int) -> bool:
        grant = self._current(name)
        if grant is None or grant.token != token:
            return False
        del self._grants[name]
        return True

    async def close(self) -> None:
        self._grants.clear()

    def _current(self, name: str) -> _Grant | None:
        grant = self._grants.get(name)
        return grant if grant is not None and grant.until > self._clock() else None
