"""Does the database take writes? The last one says so; once it is some seconds old, a small one is tried."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from healing_eval.errors import BackendError

PROBE_AFTER_SECONDS = 5.0
"""How old the outcome of the last write may be before somebody who asks has another one tried."""


class LastWrite:
    """Remembers how the last write went, and when."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a clock that never goes back, in seconds."""
        self._clock = clock
        self._at = -math.inf
        self._error: BackendError | None = None

    @property
    def is_old(self) -> bool:
        """Whether its outcome says little about the next one."""
        return self._clock() - self._at >= PROBE_AFTER_SECONDS

    @contextmanager
    def watched(self) -> Generator[None]:
        """Note how the write in this block goes. What is raised by others than the database says nothing of it."""
        try:
            yield
        except BackendError as error:
            if not isinstance(error.__cause__, IntegrityError):  # then it works, and somebody else was faster
                self._error, self._at = error, self._clock()
            raise
        self._error, self._at = None, self._clock()

    def check(self) -> None:
        """Pass if the last write did well.

        Raises:
            BackendError: it failed.
        """
        if self._error is not None:
            raise BackendError(f"the last write failed: {self._error}") from self._error
