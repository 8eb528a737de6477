"""How is given up what takes too long, among many that are begun and seldom do?"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from types import TracebackType


class Deadline:
    """Gives each of many tasks the same time. They share one timer, since who began first has to end first."""

    def __init__(self, seconds: float) -> None:
        """Take how long each may take; infinite: as long as it likes."""
        self.seconds = seconds
        self._begun: deque[_Within] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def within(self) -> _Within:
        """Give a context in which the current task has its time, as `asyncio.timeout` does with a timer for each.

        Raises:
            TimeoutError: on leaving it, when the time was up.
        """
        return _Within(self)

    def end(self) -> None:
        """Give nobody up any more."""
        if self._timer is not None:
            self._timer.cancel()

    def begin(self, one: _Within) -> None:
        """Count the time of one from now on."""
        if self.seconds == math.inf:
            return
        loop = asyncio.get_running_loop()
        one.due = loop.time() + self.seconds
        self._begun.append(one)
        if self._timer is None:
            self._timer = loop.call_at(one.due, self._give_up, loop)

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel those whose time is up, and forget those that are done."""
        now = loop.time()
        while self._begun and (self._begun[0].is_over or self._begun[0].due <= now):
            self._begun.popleft().give_up()
        self._timer = loop.call_at(self._begun[0].due, self._give_up, loop) if self._begun else None


class _Within:
    """One task's time."""

    __slots__ = ("_cancelled_before", "_deadline", "_given_up", "_task", "due", "is_over")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._given_up = False
        self.due = math.inf
        self.is_over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "only a task can be given up"
        self._task = task
        self._cancelled_before = task.cancelling()
        self._deadline.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_over = True
        if not self._given_up:
            return
        others_cancel_it_too = self._task.uncancel() > self._cancelled_before
        if isinstance(error, asyncio.CancelledError) and not others_cancel_it_too:
            raise TimeoutError from error

    def give_up(self) -> None:
        """Cancel the task, unless it is done."""
        if not self.is_over:
            self._given_up = True
            self._task.cancel()
