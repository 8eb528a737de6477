"""What if hosts do not agree about the time?"""

from __future__ import annotations

import time

from bench.chaos.fault import Break, Fault
from bench.chaos.site import Plan

AHEAD, BEHIND = "+3600", "-3600"


def _stream_emptied(given: Break) -> None:
    """Lose all messages, so that the sweeper has to know what is old enough to be rung again."""
    for _ in range(3):
        given.site.redis.ask("FLUSHALL")
        time.sleep(2)


FAULTS = (
    Fault(
        name="clock-api-ahead",
        title="API an hour ahead of the workers; FLUSHALL, three times",
        cause=_stream_emptied,
        plan=Plan(serve_clock=AHEAD),
    ),
    Fault(
        name="clock-api-behind",
        title="API an hour behind the workers; FLUSHALL, three times",
        cause=_stream_emptied,
        plan=Plan(serve_clock=BEHIND),
    ),
    Fault(
        name="clock-workers",
        title="two hosts of workers two hours apart; FLUSHALL, three times",
        cause=_stream_emptied,
        plan=Plan(work_clocks=(AHEAD, BEHIND)),
    ),
)
