"""What if two hosts both believe that it is their turn?"""

from __future__ import annotations

import time

from bench.chaos.fault import Break, Fault
from bench.chaos.site import LANES, Plan, pause_all, resume_all

ROUNDS = 10
FROZEN_SECONDS = 8.0
"""More than a turn to sweep lasts, which is two rounds of 3 s."""
_FORGET_LEASES = "for _, key in ipairs(redis.call('KEYS', '*lease*')) do redis.call('DEL', key) end"


def _leases_lost(given: Break) -> None:
    """Take every turn away again and again, and the messages with it, so that all have something to sweep."""
    streams = " ".join(given.site.stream_of(lane) for lane in LANES)
    for _ in range(ROUNDS):
        given.site.redis.ask(f'EVAL "{_FORGET_LEASES}" 0')
        given.site.redis.ask(f"DEL {streams}")
        time.sleep(1)


def _frozen(given: Break) -> None:
    """Freeze one host, then the other, for longer than a turn: it wakes up believing that it still has it."""
    streams = " ".join(given.site.stream_of(lane) for lane in LANES)
    for name in given.site.work_names:
        given.site.redis.ask(f"DEL {streams}")
        pause_all(given.site.parts[name])
        time.sleep(FROZEN_SECONDS)
        resume_all(given.site.parts[name])


FAULTS = (
    Fault(
        name="sweepers-lease",
        title="two hosts, leases and messages lost every second, ten times",
        cause=_leases_lost,
        plan=Plan(work_clocks=(None, None)),
    ),
    Fault(
        name="sweepers-frozen",
        title="two hosts, each frozen for longer than its turn to sweep",
        cause=_frozen,
        plan=Plan(work_clocks=(None, None)),
    ),
)
