"""How long do the store and the stream take? Stands in front of either, and measures what does not wait by design."""

from __future__ import annotations

import time
from typing import Any, TypeVar, cast

from prometheus_client import Histogram

from healing_eval import telemetry
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.stream import Stream

STORE_OPERATIONS = frozenset(
    {"add", "load", "close_lane", "fail", "pending", "load_outstanding", "found", "find", "query"}
)
STREAM_OPERATIONS = frozenset(
    {"append", "append_and_read", "claim", "hold", "ack", "release", "failing_for", "forget_failing", "depth", "bury"}
)
"""Not `read`, which waits for work."""

Real = TypeVar("Real", Ledger, Stream)


def timed_ledger(ledger: Ledger) -> Ledger:
    """Measure a ledger's operations, failed ones included."""
    return _timed(ledger, STORE_OPERATIONS, telemetry.STORE_SECONDS)


def timed_stream(stream: Stream) -> Stream:
    """Measure a stream's operations, failed ones included."""
    return _timed(stream, STREAM_OPERATIONS, telemetry.STREAM_SECONDS)


def _timed(real: Real, operations: frozenset[str], histogram: Histogram) -> Real:
    return cast("Real", _Timed(real, operations, histogram))


class _Timed:
    def __init__(self, real: object, operations: frozenset[str], histogram: Histogram) -> None:
        self._real = real
        for name in operations:
            setattr(self, name, _measured(getattr(real, name), histogram.labels(name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _measured(method: Any, child: Histogram) -> Any:
    async def measured(*given: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return await method(*given, **named)
        finally:
            child.observe(time.perf_counter() - started)

    return measured
