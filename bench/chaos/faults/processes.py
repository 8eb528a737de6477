"""What if our own processes are killed or told to stop, again and again?"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from bench.chaos.fault import Break, Fault
from bench.chaos.site import children_of, kill_all
from healing_eval.testing.servers.process import Process

PAUSE_SECONDS = 2.5
"""Between two rounds: so long that what was started works again."""


def _killed(part: Process) -> None:
    kill_all(part)
    part.start()


def _told_to_stop(part: Process) -> None:
    part.stop()
    part.start()


def _one_child_killed(part: Process) -> None:
    """Kill one of its processes; who started it starts it again."""
    children = children_of(part)
    if children:
        os.kill(children[0], signal.SIGKILL)


def _in_rounds(name: str, *ways: Callable[[Process], None]) -> Callable[[Break], None]:
    def cause(given: Break) -> None:
        for number in range(given.rounds):
            ways[number % len(ways)](given.site.parts[name])
            time.sleep(PAUSE_SECONDS)

    return cause


def _all_killed(given: Break) -> None:
    """Cut the power of everything at once."""
    site = given.site
    for part in (site.parts["serve"], site.parts["work-1"]):
        kill_all(part)
    site.redis.kill()
    site.postgresql.kill()
    time.sleep(2)
    site.postgresql.start()
    site.redis.start()
    site.start("serve", "work-1")


FAULTS = (
    Fault(
        name="work-kill",
        title="workers killed (-9): in turn one of two, and all",
        cause=_in_rounds("work-1", _killed, _one_child_killed),
    ),
    Fault(name="work-stop", title="workers stopped (SIGTERM)", cause=_in_rounds("work-1", _told_to_stop)),
    Fault(
        name="serve-kill",
        title="API killed (-9): in turn one of two, and all",
        cause=_in_rounds("serve", _killed, _one_child_killed),
    ),
    Fault(name="serve-stop", title="API stopped (SIGTERM)", cause=_in_rounds("serve", _told_to_stop)),
    Fault(name="all-kill", title="everything killed (-9) at once, and started", cause=_all_killed),
)
