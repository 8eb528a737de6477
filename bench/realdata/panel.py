"""What does the whole panel of deterministic evaluators find?"""

from __future__ import annotations

import asyncio
from functools import lru_cache

from bench.realdata.records import Record, records
from healing_eval.config import read_settings
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Findings, Verdict
from healing_eval.domain.verdict import weigh
from healing_eval.panel import build_panel
from healing_eval.pipeline.evaluate import evaluate

DETERMINISTIC = ("heuristic", "tool_call", "coherence")


class Judged:
    """A record with its evaluations and verdict."""

    def __init__(self, record: Record, evaluations: tuple[Evaluation, ...], verdict: Verdict | None) -> None:
        self.record = record
        self.findings = {one.evaluator: one.result for one in evaluations if isinstance(one.result, Findings)}
        self.verdict = verdict

    def types(self, evaluator: str) -> set[str]:
        """Name the types of issues an evaluator found."""
        found = self.findings.get(evaluator)
        return {one.type for one in found.issues} if found else set()


@lru_cache(maxsize=2)
def judged(name: str) -> tuple[Judged, ...]:
    """Evaluate a set."""
    return tuple(asyncio.run(_judge(records(name))))


async def _judge(of: tuple[Record, ...]) -> list[Judged]:
    panel = build_panel(read_settings(), DETERMINISTIC)
    done: list[Judged] = []
    for record in of:  # one by one: ids repeat within some sets
        batch: list[Conversation] = [record.conversation] if record.conversation.evaluable else []
        found = [evaluations async for _, evaluations in evaluate(batch, panel.evaluators)]
        evaluations = found[0] if found else ()
        done.append(Judged(record, evaluations, weigh(evaluations, panel.rules) if evaluations else None))
    return done
