"""What is a fault, and how is one row of the table measured?"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import msgspec

from bench.chaos.client import Client
from bench.chaos.counts import Counts, count, count_open
from bench.chaos.site import Plan, Site

BEFORE_SECONDS = 3.0
"""How long all is well before the fault."""
AFTER_SECONDS = 2.0
"""How long is posted on after it."""
RECOVERY_SECONDS = 240.0
"""What has not happened so long after the end of the fault counts as never."""


class Break(msgspec.Struct, frozen=True):
    """What a fault may use."""

    site: Site
    client: Client
    rounds: int
    given_up: list[str]
    """To be filled with the ids of conversations that have to end as failed."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One row: something breaks, and is whole again when `cause` returns."""

    name: str
    title: str
    cause: Callable[[Break], None]
    plan: Plan = Plan()
    ready_first: bool = True
    """Whether all is well before the fault; False where it begins with the start."""
    most_unjudged: float = 0.0
    """Which share of judge evaluations may be failures."""


class Row(msgspec.Struct, kw_only=True):
    """What was counted."""

    name: str
    title: str
    counts: Counts
    reposts: dict[str, int]
    fault_seconds: float
    recovery_seconds: float | None
    """From the end of the fault until all that was posted was accepted and evaluated and no message was left; None: it
    never was."""
    messages_left: int
    """Messages in the streams at the end."""
    model_calls: int
    most_unjudged: float

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost, twice, stuck or missing beyond what may be, and no message goes round for ever."""
        one = self.counts
        too_many = one.unjudged > self.most_unjudged * max(1, one.accepted)
        return one.accepted > 0 and not (
            one.lost or one.twice or one.stuck or one.unrecorded or too_many or self.messages_left
        )


def measure(fault: Fault, rounds: int, complain: Callable[[str], None]) -> Row:
    """Start a site, post, break it, wait until all is evaluated, and count."""
    with Site(fault.plan) as site:
        client = Client(site.port, f"{fault.name}-{os.getpid()}-{time.time_ns():x}-")
        if fault.ready_first:
            _wait_until(site.is_ready, 60)
        client.start()
        try:
            if fault.ready_first:
                time.sleep(BEFORE_SECONDS)
            given_up: list[str] = []
            began = time.monotonic()
            fault.cause(Break(site, client, rounds, given_up))
            ended = time.monotonic()
            time.sleep(AFTER_SECONDS)
            client.close()
            recovered = _wait_until(lambda: _is_whole(site, client), RECOVERY_SECONDS)
            row = Row(
                name=fault.name,
                title=fault.title,
                counts=count(site.rows, client.accepted, given_up),
                reposts=dict(client.reposts),
                fault_seconds=round(ended - began, 1),
                recovery_seconds=round(time.monotonic() - ended, 1) if recovered else None,
                messages_left=site.messages(),
                model_calls=site.model_stats()["requests"],
                most_unjudged=fault.most_unjudged,
            )
            if not client.is_done:  # what is posted for ever and never taken is stuck as well
                row.counts.stuck += client.posted - len(client.accepted)
            if not row.is_good:
                complain(f"{row.counts.examples}\n{site.logs()}")
            return row
        finally:
            client.give_up()


def _is_whole(site: Site, client: Client) -> bool:
    return client.is_done and count_open(site.rows) == 0 and site.messages() == 0


def _wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if holds():
                return True
        except (OSError, RuntimeError):  # the server is not back yet
            pass
        time.sleep(0.25)
    return False
