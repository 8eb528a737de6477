"""What was found before, within one process?"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Self

MOST_BYTES = 64 * 1024 * 1024
ENTRY_BYTES = 400
"""What an entry takes besides its key and its value."""


class _Kept(NamedTuple):
    value: bytes
    until: float
    """By the clock."""


class MemoryCache:
    """A `Cache` for one process: `memory://`. When it is full, what was not asked for the longest goes."""

    def __init__(self, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        """Take how much it may hold, and a clock that never goes back, in seconds."""
        self._most_bytes = most_bytes
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        """The one that goes next comes first."""
        self._bytes = 0

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls()

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        now = self._clock()
        return [self._find(key, now) for key in keys]

    async def put(self, entries: Mapping[bytes, bytes], keep_seconds: float) -> None:
        until = self._clock() + keep_seconds
        for key, value in entries.items():
            self._forget(key)
            if _size(key, value) <= self._most_bytes:  # else it would drive out all others and then itself
                self._kept[key] = _Kept(value, until)
                self._bytes += _size(key, value)
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._kept)))

    async def close(self) -> None:
        self._kept.clear()
        self._bytes = 0

    def _find(self, key: bytes, now: float) -> bytes | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= now:
            self._forget(key)
            return None
        self._kept.move_to_end(key)
        return kept.value

    def _forget(self, key: bytes) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= _size(key, kept.value)


def _size(key: bytes, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_BYTES
