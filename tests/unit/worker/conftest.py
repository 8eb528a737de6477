"""Leases on a clock that stands still until it is moved."""

from __future__ import annotations

import pytest

from healing_eval.backends.lease.memory import MemoryLease


class Clock:
    """Seconds, as a test sets them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lease(clock: Clock) -> MemoryLease:
    return MemoryLease(clock)
