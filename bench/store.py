"""How fast is the embedded store on this disk?

    .venv/bin/python -m bench.store [FOLDER] [CONVERSATIONS]

FOLDER (default: the current one) is where the store is made, and removed again. Bodies have 6 KB and 10 turns; a lane
is closed with 3 evaluations and 5 issues each. CPU milliseconds are those of the whole process.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.domain.evaluation import Evaluation, Verdict
from healing_eval.domain.query import EvaluationQuery
from healing_eval.domain.revision import RevisionKey, Submission
from healing_eval.ports.ledger import LaneResult
from healing_eval.testing.builders import a_conversation, a_submission, a_turn, an_evaluation, an_issue

LANES = ("checks", "judges")
BATCH = 64


def submissions(prefix: str, count: int) -> list[Submission]:
    turns = [
        a_turn(number, "assistant" if number % 2 else "user", f"{number}: " + "lorem ipsum dolor " * 31)
        for number in range(10)
    ]
    return [a_submission(a_conversation(f"{prefix}-{number}", turns)) for number in range(count)]


def evaluations(key: RevisionKey, number: int) -> tuple[Evaluation, ...]:
    issues = [an_issue("ungrounded_argument" if index else "loop", turn_id=index) for index in range(5)]
    score = number % 101 / 100
    return (
        an_evaluation(key.conversation_key, "heuristic", score, issues=issues),
        an_evaluation(key.conversation_key, "tool_call", score),
        an_evaluation(key.conversation_key, "coherence", score),
    )


def decide(found: Sequence[Evaluation], final: bool) -> Verdict:
    overall = found[0].result.overall  # pyright: ignore[reportAttributeAccessIssue] - all of them measured
    return Verdict(overall, "fail" if overall < 0.5 else "pass", (), {"heuristic": 1.0}, final)


async def opening(url: str) -> None:
    for what in ("a fresh", "an existing"):
        started = time.perf_counter()
        ledger = SqliteLedger.from_url(url)
        await ledger.open()
        print(f"open() of {what} file: {time.perf_counter() - started:.3f} s")
        await ledger.close()


async def adding(ledger: SqliteLedger, batch: int, count: int) -> list[RevisionKey]:
    sent = submissions(f"b{batch}", count)
    keys: list[RevisionKey] = []
    started, cpu = time.perf_counter(), time.process_time()
    for first in range(0, count, batch):
        receipts = await ledger.add(sent[first : first + batch], LANES)
        keys += [receipt.revision_key for receipt in receipts]
    report(f"add() in batches of {batch}, {len(sent[0].body)} bytes each", count, started, cpu)
    return keys


async def closing(ledger: SqliteLedger, keys: list[RevisionKey]) -> None:
    results = [LaneResult(key, evaluations(key, number)) for number, key in enumerate(keys)]
    started, cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(keys), BATCH):
        await ledger.close_lane("checks", results[first : first + BATCH], decide)
    report(f"close_lane() in batches of {BATCH}", len(keys), started, cpu)


def report(what: str, count: int, started: float, cpu: float) -> None:
    wall, used = time.perf_counter() - started, time.process_time() - cpu
    print(f"{what}: {count / wall:,.0f} conversations/s, {1000 * used / count:.2f} CPU ms each")


async def querying(ledger: SqliteLedger) -> None:
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


async def main(folder: Path, count: int) -> None:
    with TemporaryDirectory(dir=folder) as store:
        url = f"sqlite:///{store}/store.db"
        await opening(url)
        ledger = SqliteLedger.from_url(url)
        await ledger.open()
        await adding(ledger, 1, min(count, 1000))
        await adding(ledger, 10, min(count, 4000))
        keys = await adding(ledger, 100, count)
        await closing(ledger, keys)
        await querying(ledger)
        await ledger.close()


if __name__ == "__main__":
    asyncio.run(
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "."), int(sys.argv[2]) if len(sys.argv) > 2 else 20_000)
    )
