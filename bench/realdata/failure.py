"""How well do the evaluators and the verdict predict failure? Reported as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bench.realdata.panel import DETERMINISTIC, judged
from bench.realdata.rows import Row, share
from healing_eval.metaeval.scoring import auc

WITH_FAILURES = ("tau_bench", "tau2_bench", "agentdojo", "when2call")
ALL_CORRECT = ("sgd", "gold_tool_dialogues")


def rows() -> Iterator[Row]:
    for name in WITH_FAILURES:
        yield from _prediction(name)
    for name in ALL_CORRECT:
        yield from _alarms(name)


def _prediction(name: str) -> Iterator[Row]:
    known = [one for one in judged(name) if one.record.failed is not None]
    for evaluator in DETERMINISTIC:
        scored = [
            (-one.findings[evaluator].overall, bool(one.record.failed)) for one in known if evaluator in one.findings
        ]
        yield Row(name, len(scored), f"AUC of {evaluator} for failure", auc(scored))
    decided = [(one.verdict, bool(one.record.failed)) for one in known if one.verdict is not None]
    scored = [(-verdict.overall, failed) for verdict, failed in decided if verdict.overall is not None]
    yield Row(name, len(scored), "AUC of the verdict's overall for failure", auc(scored))
    said_fail = [failed for verdict, failed in decided if verdict.outcome == "fail"]
    yield Row(name, len(said_fail), "real failures among those with outcome fail", share(said_fail))


def _alarms(name: str) -> Iterator[Row]:
    cases = [one for one in judged(name) if one.verdict is not None]
    failing = [one.verdict is not None and one.verdict.outcome == "fail" for one in cases]
    yield Row(name, len(cases), "correct conversations with outcome fail", share(failing))
    for evaluator in DETERMINISTIC:
        counts = Counter(kind for one in cases for kind in one.types(evaluator))
        for kind, count in sorted(counts.items()):
            yield Row(name, len(cases), f"correct conversations with {kind}", count / len(cases))
