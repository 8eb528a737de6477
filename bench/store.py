"""How fast is the store, and what does it cost?

    .venv/bin/python -m bench.store [FOLDER] [CONVERSATIONS]            the embedded one, in FOLDER (default: here)
    .venv/bin/python -m bench.store --postgresql [CONVERSATIONS]        a PostgreSQL of our own, durable, ended again
    .venv/bin/python -m bench.store --url postgresql://… [CONVERSATIONS]    one that runs, in a database that is empty

Bodies have 6 KB and 10 turns; a lane is closed with four evaluations, one of which has five issues. CPU milliseconds
are those of this process, and of all of the server's where we started it. `--profile` prints where ours go.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from healing_eval import plugins
from healing_eval.domain.evaluation import Evaluation, Verdict
from healing_eval.domain.query import EvaluationQuery
from healing_eval.domain.revision import RevisionKey, Submission
from healing_eval.ports.ledger import LaneResult, Ledger
from healing_eval.testing.builders import a_conversation, a_submission, a_turn, an_evaluation, an_issue
from healing_eval.testing.servers.postgresql import Postgresql

LANES = ("checks", "judges")
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

Meter = Callable[[], float]
"""Tells how many seconds of CPU the server has used so far."""


def submissions(prefix: str, count: int) -> list[Submission]:
    turns = [
        a_turn(number, "assistant" if number % 2 else "user", f"{number}: " + "lorem ipsum dolor " * 31)
        for number in range(10)
    ]
    return [a_submission(a_conversation(f"{prefix}-{number}", turns)) for number in range(count)]


def evaluations(key: RevisionKey, number: int) -> tuple[Evaluation, ...]:
    issues = [an_issue("ungrounded_argument" if index else "loop", turn_id=index) for index in range(5)]
    score = number % 101 / 100
    others = [an_evaluation(key.conversation_key, name, score) for name in ("tool_call", "coherence", "style")]
    return an_evaluation(key.conversation_key, "heuristic", score, issues=issues), *others


def decide(found: Sequence[Evaluation], final: bool) -> Verdict:
    overall = found[0].result.overall  # pyright: ignore[reportAttributeAccessIssue] - all of them measured
    return Verdict(overall, "fail" if overall < 0.5 else "pass", (), {"heuristic": 1.0}, final)


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

    def __init__(self, url: str, meter: Meter | None, profile: bool) -> None:
        self._url = url
        self._meter = meter
        self._profile = cProfile.Profile() if profile else None

    def ledger(self) -> Ledger:
        return cast("type[Ledger]", plugins.load_for_url(plugins.LEDGER, self._url)).from_url(self._url)

    @asynccontextmanager
    async def timed(self, what: str, count: int) -> AsyncGenerator[None]:
        meter = self._meter or (lambda: 0.0)
        theirs, started, cpu = meter(), time.perf_counter(), time.process_time()
        if self._profile:
            self._profile.enable()
        yield
        if self._profile:
            self._profile.disable()
        wall, ours, theirs = time.perf_counter() - started, time.process_time() - cpu, meter() - theirs
        server = f", {1000 * theirs / count:.3f} of the server" if self._meter else ""
        print(f"{what}: {count / wall:,.0f} conversations/s, {1000 * ours / count:.3f} CPU ms each{server}")

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
        async with self.timed(f"add() in batches of {batch}, {len(sent[0].body)} bytes each", count):
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
            asyncio.run(Bench(server.new_database(), lambda: used_by(server), chosen.profile).run(count))
            server.stop()
        finally:
            server.remove()
    elif chosen.url:
        asyncio.run(Bench(chosen.url, None, chosen.profile).run(count))
    else:
        with TemporaryDirectory(dir=chosen.given[0] if chosen.given else ".") as store:
            asyncio.run(Bench(f"sqlite:///{store}/store.db", None, chosen.profile).run(count))


if __name__ == "__main__":
    main()
