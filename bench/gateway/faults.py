"""How much is left when one of three deployments fails?

Three deployments of 50 requests a second each. The fault begins with the measuring, so that finding it out is in the
figure. What the healthy rest can give is measured as well: the same site with nobody else, or, where a share of all
requests is throttled, the share that is not.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bench.gateway.models import Models
from bench.production.client import Bodies, Client
from bench.production.rows import LOST, NOTHING_REMEMBERED, SETTLED, TWICE
from bench.production.site import Site

PER_SECOND = 50
DELAY_MS = 300.0
MOST_WAITING = 1500
DRAIN_SECONDS = 240.0


class Fault(msgspec.Struct, frozen=True):
    """What goes wrong, with which of the three, and what then can be expected."""

    title: str
    changes: Mapping[str, object]
    broken: tuple[int, ...]
    expected: float | None = None
    """Share of what all three give together; None: what those that are not broken give, measured."""


FAULTS = (
    Fault("one of three providers hangs", {"mode": "hang"}, (0,)),
    Fault("one of three keys is revoked", {"mode": "401"}, (0,)),
    Fault("30 % of all requests get 429", {"mode": "429", "rate": 0.3}, (0, 1, 2), 0.7),
)


class Kept(msgspec.Struct):
    """What one fault left."""

    title: str
    per_second: float
    expected_per_second: float
    lost: int
    twice: int

    @property
    def share(self) -> float:
        """Of what could be expected."""
        return self.per_second / self.expected_per_second


async def measure(fault: Fault, seconds: float, warm_up_seconds: float, load: Path | None) -> Kept:
    """Measure throughput with a fault, and what can be expected."""
    if fault.expected is None:
        healthy = [place for place in range(3) if place not in fault.broken]
        expected, _, _ = await _throughput(healthy, None, seconds, warm_up_seconds, load)
    else:
        expected = 3 * PER_SECOND * fault.expected
    got, lost, twice = await _throughput([0, 1, 2], fault, seconds, warm_up_seconds, load)
    return Kept(fault.title, got, expected, lost, twice)


async def _throughput(
    places: list[int], fault: Fault | None, seconds: float, warm_up_seconds: float, load: Path | None
) -> tuple[float, int, int]:
    """Give evaluations of the judge a second, and what was lost and doubled."""
    with Models(3, delay_ms=DELAY_MS) as models:
        settings = NOTHING_REMEMBERED | models.settings(places, per_minute=60 * PER_SECOND)
        with Site(serve=("--workers", "1"), work=("--processes", "2"), settings=settings) as site:
            waiting = _Waiting(site)
            bodies = Bodies(f"{os.getpid()}-{time.time_ns():x}-", 50, load)
            client = Client(site.port, bodies, may_send=lambda: waiting.count < MOST_WAITING)
            watching = asyncio.create_task(waiting.watch())
            sending = asyncio.create_task(client.run(2, warm_up_seconds + seconds))
            await asyncio.sleep(warm_up_seconds)
            for place in fault.broken if fault else ():
                await asyncio.to_thread(models.tell, place, seed=place, **fault.changes if fault else {})
            before, started = await asyncio.to_thread(site.count, JUDGED), time.perf_counter()
            await asyncio.sleep(seconds)
            done = await asyncio.to_thread(site.count, JUDGED) - before
            taken = time.perf_counter() - started
            await sending
            await _drained(site, client.sent.accepted)
            watching.cancel()
            lost = site.count(LOST) + client.sent.accepted - site.count(JUDGED)
            return done / taken, lost, site.count(TWICE)


JUDGED = "SELECT count(*) FROM evaluations WHERE evaluator = 'judge' AND status = 'measured'"


class _Waiting:
    """Counts what is posted and not judged."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.count = 0

    async def watch(self) -> None:
        while True:
            self.count = await asyncio.to_thread(self._site.count, WAITING)
            await asyncio.sleep(0.2)


WAITING = "SELECT count(*) FROM conversations WHERE outstanding <> 0"


async def _drained(site: Site, accepted: int) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while await asyncio.to_thread(site.count, SETTLED) < accepted:
        if time.monotonic() > deadline:
            raise SystemExit(f"not all of {accepted} were evaluated in time\n{site.logs()}")
        await asyncio.sleep(0.5)
