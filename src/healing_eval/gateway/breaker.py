"""Is it worth asking this deployment now? A circuit breaker.

It opens after failures in a row, closes with the first success, and in between lets one question through at a time to
find out, after pauses that double.
"""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES_IN_A_ROW = 5
REFUSALS_IN_A_ROW = 3
"""More than one, since a guard before the server may refuse a single text as it would refuse us: whoever writes such a
text must not shut out all others."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_ALONE_SECONDS = 1.0
"""Where nobody else could be asked: the next question may be one that it answers."""
LONGEST_BARRED_SECONDS = 300.0
BARRED_SECONDS = 60.0
"""First pause after the deployment refused us, which a person has to put right."""


class Breaker:
    """Remembers of one deployment whether it answers."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, longest_pause_seconds: float = LONGEST_PAUSE_SECONDS
    ) -> None:
        """Start closed; the clock never goes back, in seconds."""
        self._clock = clock
        self._longest_pause_seconds = longest_pause_seconds
        self._failures = 0
        self._refusals = 0
        self._pause_seconds = 0.0
        self._open_until: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether it is not known to answer."""
        return self._open_until is not None

    def opens_in(self) -> float:
        """Tell for how many seconds nobody may ask; 0 if somebody may now."""
        if self._open_until is None:
            return 0.0
        left = max(0.0, self._open_until - self._clock())
        return max(left, FIRST_PAUSE_SECONDS) if self._probing else left

    def begin(self) -> None:
        """Note that somebody asks."""
        self._probing = self.is_open

    def succeed(self) -> None:
        """Note an answer, whatever it said."""
        self._failures, self._refusals, self._pause_seconds, self._open_until, self._probing = 0, 0, 0.0, None, False

    def fail(self) -> bool:
        """Note that none came; tell whether that has just opened it."""
        self._failures += 1
        if self._failures < FAILURES_IN_A_ROW and not self.is_open:
            return False
        return self._open(FIRST_PAUSE_SECONDS, self._longest_pause_seconds)

    def bar(self) -> bool:
        """Note that it seems to refuse us; tell whether that has just opened it."""
        self._refusals += 1
        if self._refusals < REFUSALS_IN_A_ROW and not self.is_open:
            return False
        if self._longest_pause_seconds < LONGEST_PAUSE_SECONDS:
            return self._open(FIRST_PAUSE_SECONDS, self._longest_pause_seconds)
        return self._open(BARRED_SECONDS, LONGEST_BARRED_SECONDS)

    def give_back(self) -> None:
        """Note that whoever began has not asked after all."""
        self._probing = False

    def _open(self, first_seconds: float, longest_seconds: float) -> bool:
        was_open, was_probe = self.is_open, self._probing
        if was_open and not was_probe:
            return False  # asked before it opened: it says nothing new
        self._pause_seconds = min(longest_seconds, max(first_seconds, 2 * self._pause_seconds))
        self._open_until = self._clock() + self._pause_seconds
        self._probing = False
        return not was_open
