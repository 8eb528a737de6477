"""Which figures are measured, and how is one round of each?"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec

from bench.production.client import Bodies, Client
from bench.production.site import Site

WORKERS = ("--workers", "2")
NOTHING_REMEMBERED = {"HEALING_EVAL_CACHE__KEEP_DAYS": "0"}
"""The load comes again under new ids, which is what a cache of results is for."""
PROCESSES = ("--processes", "2")
MOST_WAITING = 4000
"""Conversations posted and not evaluated at which the client waits: what is measured is sustained, not a backlog."""
DRAIN_SECONDS = 120.0
IDLE_CONVERSATIONS = 200
IDLE_PAUSE_SECONDS = 0.05
SETTLED = "SELECT count(*) FROM verdicts WHERE final"
LOST = "SELECT count(*) FROM conversations WHERE outstanding <> 0 OR status <> 'done'"
TWICE = "SELECT count(*) - count(DISTINCT (conversation_key, revision, evaluator)) FROM evaluations"


class Plan(msgspec.Struct, frozen=True):
    """How long each round takes, and on which conversations."""

    seconds: float = 60.0
    warm_up_seconds: float = 10.0
    load: Path | None = None


class Round(msgspec.Struct):
    """What one round printed."""

    value: float
    """In the row's unit."""
    cpu_ms: dict[str, float] = {}
    """CPU milliseconds a conversation, by part; `client` is this benchmark itself."""
    notes: dict[str, float] = {}


class Row(msgspec.Struct, frozen=True):
    """One line of the table."""

    name: str
    title: str
    unit: str
    must: float
    aim: float
    measure: Callable[[Plan], Coroutine[Any, Any, Round]]
    less_is_better: bool = False


class Meter:
    """Counts CPU of all parts between two moments."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.start()

    def start(self) -> None:
        """Begin to count."""
        self._at, self._own, self._theirs = time.perf_counter(), time.process_time(), self._site.cpu_seconds()

    @property
    def seconds(self) -> float:
        """How long it has counted."""
        return time.perf_counter() - self._at

    def per(self, conversations: int) -> dict[str, float]:
        """Give CPU milliseconds a conversation, by part."""
        used = {name: seconds - self._theirs[name] for name, seconds in self._site.cpu_seconds().items()}
        used["client"] = time.process_time() - self._own
        return {name: 1000 * seconds / max(1, conversations) for name, seconds in used.items()}


def ours(cpu_ms: dict[str, float]) -> float:
    """Add up what is not the benchmark's own."""
    return sum(value for name, value in cpu_ms.items() if name not in ("client", "model"))


async def ingest(plan: Plan, *, batch: int, connections: int) -> Round:
    """Post for a while, with nobody evaluating."""
    with Site(serve=WORKERS, work=None) as site:
        client = Client(site.port, _bodies(plan, batch))
        await client.run(connections, plan.warm_up_seconds)
        meter, before = Meter(site), client.sent.accepted
        client.sent.seconds.clear()
        await client.run(connections, plan.seconds)
        taken, seconds = client.sent.accepted - before, meter.seconds
        cpu = meter.per(taken)
        stored = site.count("SELECT count(*) FROM revisions")
        _require(stored == client.sent.accepted, f"{client.sent.accepted} were accepted and {stored} are stored", site)
        return Round(taken / seconds, cpu, _latencies(client) | _refused(client))


async def sustained(
    plan: Plan,
    *,
    model_delay_ms: float | None = None,
    most_waiting: int = MOST_WAITING,
    settings: Mapping[str, str] | None = None,
) -> Round:
    """Post as fast as it is evaluated, for a while; then see that each has exactly one verdict."""
    told = {**NOTHING_REMEMBERED, **(settings or {})}
    with Site(serve=("--workers", "1"), work=PROCESSES, model_delay_ms=model_delay_ms, settings=told) as site:
        gate = Gate(site, most_waiting)
        client = Client(site.port, _bodies(plan, 100), may_send=gate.is_open)
        watching = asyncio.create_task(gate.watch())
        empty = site.redis_bytes()
        sending = asyncio.create_task(client.run(4, plan.warm_up_seconds + plan.seconds))
        await asyncio.sleep(plan.warm_up_seconds)
        before = await asyncio.to_thread(site.count, SETTLED)
        meter = Meter(site)
        await asyncio.sleep(plan.seconds)
        settled = await asyncio.to_thread(site.count, SETTLED) - before
        seconds, cpu = meter.seconds, meter.per(settled)
        await sending
        await _drained(site, client.sent.accepted)
        watching.cancel()
        kept = (site.redis_bytes() - empty) / client.sent.accepted
        notes = {"cpu_ms": ours(cpu), "redis_bytes": kept, "twice": site.count(TWICE), "lost": site.count(LOST)}
        return Round(60 * settled / seconds, cpu, notes | _refused(client))


async def idle(plan: Plan) -> Round:
    """Post one at a time and look into the store until its verdict is there; the 95th percentile, in milliseconds."""
    with Site(serve=("--workers", "1"), work=("--processes", "1")) as site:
        bodies, store = _bodies(plan, 1), await asyncpg.connect(site.store_url)
        times: list[float] = []
        async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}/api/v1/") as session:
            for number in range(IDLE_CONVERSATIONS + 10):
                body, started = bodies.next(), time.perf_counter()
                async with session.post("conversations", data=body, headers=_JSON) as answer:
                    _require(answer.status == 202, f"a post was answered {answer.status}", site)
                await _until_settled(store, number + 1)
                if number >= 10:
                    times.append(1000 * (time.perf_counter() - started))
                await asyncio.sleep(IDLE_PAUSE_SECONDS)
        await store.close()
        return Round(_percentile(times, 95), notes={"p50": statistics.median(times), "p99": _percentile(times, 99)})


_JSON = {"Content-Type": "application/json"}


class Gate:
    """Holds the client back while too many conversations wait."""

    def __init__(self, site: Site, most_waiting: int) -> None:
        self._site = site
        self._most_waiting = most_waiting
        self._waiting = 0

    def is_open(self) -> bool:
        """Whether more may be posted."""
        return self._waiting < self._most_waiting

    async def watch(self) -> None:
        """Look at the streams regularly: asking Redis for two lengths costs next to nothing."""
        while True:
            self._waiting = await asyncio.to_thread(self._site.backlog)
            await asyncio.sleep(0.05)


async def _drained(site: Site, accepted: int) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while await asyncio.to_thread(site.count, SETTLED) < accepted:
        _require(time.monotonic() < deadline, f"not all of {accepted} were evaluated in time", site)
        await asyncio.sleep(0.5)


async def _until_settled(store: asyncpg.Connection, count: int) -> None:
    for _ in range(10_000):
        if (await store.fetchval(SETTLED) or 0) >= count:
            return
        await asyncio.sleep(0.001)
    raise SystemExit(f"the verdict of conversation {count} never came")


def _bodies(plan: Plan, batch: int) -> Bodies:
    return Bodies(f"{os.getpid()}-{time.time_ns():x}-", batch, plan.load)


def _latencies(client: Client) -> dict[str, float]:
    times = [1000 * seconds for seconds in client.sent.seconds]
    return {"p50_ms": statistics.median(times), "p95_ms": _percentile(times, 95), "p99_ms": _percentile(times, 99)}


def _refused(client: Client) -> dict[str, float]:
    return {f"status_{status}": count for status, count in client.sent.statuses.items() if status != 202}


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def _require(holds: bool, otherwise: str, site: Site) -> None:
    if not holds:
        raise SystemExit(f"{otherwise}\n{site.logs()}")
