"""How fast is the store, and what does it cost?

    .venv/bin/python -m bench.store [FOLDER] [CONVERSATIONS]            the embedded one, in FOLDER (default: here)
    .venv/bin/python -m bench.store --postgresql [CONVERSATIONS]        a PostgreSQL of our own, durable, ended again
    .venv/bin/python -m bench.store --url postgresql://… [CONVERSATIONS]    one that runs, in a database that is empty

The load is that of `bench.load`: about 6 KB and 10 turns; a lane is closed with four evaluations, one of which has five
issues. CPU milliseconds are those of this process, and of all of the server's where we started it. `--profile` prints
where ours go.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import msgspec

from bench import load
from healing_eval import plugins
from healing_eval.cli.loops import run_fast
from healing_eval.domain.evaluation import Evaluation, Verdict
from healing_eval.domain.query import EvaluationQuery
from healing_eval.domain.revision import RevisionKey, Submission
from healing_eval.domain.verdict import Opinion
from healing_eval.formats.item import read_item
from healing_eval.formats.limits import UNLIMITED
from healing_eval.ports.ledger import LaneResult, Ledger
from healing_eval.testing.builders import an_evaluation, an_issue
from healing_eval.testing.servers.postgresql import Postgresql

LANES = ("checks", "judges")
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def submissions(prefix: str, count: int) -> list[Submission]:
    made = list(islice(load.conversations(), min(count, 500)))
    bodies = (msgspec.json.encode(made[at % len(made)] | {"conversation_id": f"{prefix}-{at}"}) for at in range(count))
    return [read_item(body, project="default", limits=UNLIMITED) for body in bodies]


def evaluations(key: RevisionKey, number: int) -> tuple[Evaluation, ...]:
    issues = [an_issue("ungrounded_argument" if index else "loop", turn_id=index) for index in range(5)]
    score = number % 101 / 100
    others = [an_evaluation(key.conversation_key, name, score) for name in ("tool_call", "coherence", "style")]
    return an_evaluation(key.conversation_key, "heuristic", score, issues=issues), *others


def decide(found: Sequence[Opinion], final: bool) -> Verdict:
    overall = found[0].overall
    return Verdict(overall, "pass" if overall is None or overall >= 0.5 else "fail", (), {"heuristic": 1.0}, final)


def used_by(server: Postgresql) -> float:
    """Add up the CPU seconds of a server's processes, those that have ended included."""
    ticks = sum(_ticks(server.pid))
    for pid in server.children:
        with suppress(OSError):  # it has just ended
            ticks += sum(_ticks(pid)[:2])
    return ticks / CLOCK_TICKS


def _ticks(pid: int) -> list[int]:
    """Read what a process used itself, as user and in the system, and what its ended children did."""
    return [int(field) for field in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]]


class Bench:
    """Measures one store."""

    def __init__(self, url: str, server: Postgresql | None, *, profile: bool) -> None:
        self._url = url
        self._server = server
        self._profile = cProfile.Profile() if profile else None

    def ledger(self) -> Ledger:
        return cast("type[Ledger]", plugins.load_for_url(plugins.LEDGER, self._url)).from_url(self._url)

    @asynccontextmanager
    async def timed(self, what: str, count: int) -> AsyncGenerator[None]:
        theirs, started, cpu = self._theirs(), time.perf_counter(), time.process_time()
        if self._profile:
            self._profile.enable()
        yield
        if self._profile:
            self._profile.disable()
        wall, ours, theirs = time.perf_counter() - started, time.process_time() - cpu, self._theirs() - theirs
        server = f", {1000 * theirs / count:.3f} of the server" if self._server else ""
        print(f"{what}: {count / wall:,.0f} conversations/s, {1000 * ours / count:.3f} CPU ms each{server}")

    def _theirs(self) -> float:
        return used_by(self._server) if self._server else 0.0

    async def opening(self) -> None:
        for what in ("a fresh", "an existing"):
            started = time.perf_counter()
            ledger = self.ledger()
            await ledger.open()
            print(f"open() of {what} store: {time.perf_counter() - started:.3f} s")
            await ledger.close()

    async def adding(self, ledger: Ledger, batch: int, count: int) -> list[RevisionKey]:
        sent = submissions(f"b{batch}", count)
        keys: list[RevisionKey] = []
        async with self.timed(f"add() in batches of {batch}", count):
            for first in range(0, count, batch):
                receipts = await ledger.add(sent[first : first + batch], LANES)
                keys += [receipt.revision_key for receipt in receipts]
        return keys

    async def adding_again(self, ledger: Ledger, batch: int, count: int) -> None:
        sent = submissions(f"b{batch}", count)
        async with self.timed(f"add() of duplicates in batches of {batch}", count):
            for first in range(0, count, batch):
                await ledger.add(sent[first : first + batch], LANES)

    async def loading(self, ledger: Ledger, batch: int, keys: list[RevisionKey]) -> None:
        async with self.timed(f"load() in batches of {batch}", len(keys)):
            for first in range(0, len(keys), batch):
                await ledger.load(keys[first : first + batch])

    async def closing(self, ledger: Ledger, lane: str, batch: int, keys: list[RevisionKey]) -> None:
        results = [LaneResult(key, evaluations(key, number)) for number, key in enumerate(keys)]
        if lane != "checks":
            results = [LaneResult(one.revision_key, (an_evaluation(b"", "judge", 0.4),)) for one in results]
        async with self.timed(f"close_lane({lane!r}) in batches of {batch}", len(keys)):
            for first in range(0, len(keys), batch):
                await ledger.close_lane(lane, results[first : first + batch], decide)

    async def querying(self, ledger: Ledger) -> None:
        if self._server:  # does so by itself within a minute
            self._server.sql("ANALYZE", database=self._url.rpartition("/")[2])
        queries = {
            "the newest 50": EvaluationQuery(),
            "the worst 50": EvaluationQuery(sort="overall"),
            "outcome, score and issue type": EvaluationQuery(
                outcome=("fail",), min_overall=0.2, issue_types=("loop",), evaluators=("tool_call",), sort="-overall"
            ),
            "a filter that nothing matches": EvaluationQuery(issue_types=("other",)),
        }
        for name, query in queries.items():
            times: list[float] = []
            for _ in range(15):
                started = time.perf_counter()
                await ledger.query("default", query)
                times.append(time.perf_counter() - started)
            print(f"query, {name}: median {1000 * statistics.median(times):.1f} ms")

    async def run(self, count: int) -> None:
        await self.opening()
        ledger = self.ledger()
        await ledger.open()
        await self.adding(ledger, 1, min(count, 1000))
        await self.adding(ledger, 10, min(count, 4000))
        keys = await self.adding(ledger, 100, count)
        more = await self.adding(ledger, 500, count)
        await self.adding_again(ledger, 100, min(count, 4000))
        await self.loading(ledger, 64, keys)
        await self.closing(ledger, "checks", 64, keys)
        await self.closing(ledger, "checks", 256, more)
        await self.closing(ledger, "judges", 64, keys)
        await self.querying(ledger)
        await ledger.close()
        if self._profile:
            pstats.Stats(self._profile).sort_stats("tottime").print_stats(45)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("given", nargs="*")
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--url")
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    count = int(chosen.given.pop()) if chosen.given and chosen.given[-1].isdigit() else 20_000
    if chosen.postgresql:
        server = Postgresql(durable=True)
        try:
            server.start()
            run_fast(Bench(server.new_database(), server, profile=chosen.profile).run(count))
            server.stop()
        finally:
            server.remove()
    elif chosen.url:
        run_fast(Bench(chosen.url, None, profile=chosen.profile).run(count))
    else:
        with TemporaryDirectory(dir=chosen.given[0] if chosen.given else ".") as store:
            run_fast(Bench(f"sqlite:///{store}/store.db", None, profile=chosen.profile).run(count))


if __name__ == "__main__":
    main()
