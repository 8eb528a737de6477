"""What if hosts do not agree about the time?"""

from __future__ import annotations

import time

from bench.chaos.fault import Break, Fault
from bench.chaos.site import Plan


def _stream_emptied(given: Break) -> None:
    """Lose all messages, so that the sweeper has to know what is old enough to be rung again."""
    given.site.redis.ask("FLUSHALL")
    time.sleep(5)


FAULTS = (
    Fault(
        name="clock-behind",
        title="API an hour ahead, workers an hour behind; FLUSHALL",
        cause=_stream_emptied,
        plan=Plan(serve_clock="+3600", work_clock="-3600"),
    ),
    Fault(
        name="clock-ahead",
        title="API an hour behind, workers an hour ahead; FLUSHALL",
        cause=_stream_emptied,
        plan=Plan(serve_clock="-3600", work_clock="+3600"),
    ),
)
