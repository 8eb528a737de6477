"""Does the risk of frustration order user turns as raters do?"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator

from bench.realdata.records import Record, records
from bench.realdata.rows import Row
from healing_eval.evaluators.coherence.context import Context
from healing_eval.evaluators.coherence.frustration import frustration_risk
from healing_eval.evaluators.coherence.options import Options
from healing_eval.metaeval.scoring import auc

SUBSETS = ("sgd", "mwoz", "ccpe", "redial")
DISSATISFIED_BELOW = 2.67
"""Mean rating of a turn, from 1 to 5."""


def rows() -> Iterator[Row]:
    scored: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for record in records("uss"):
        subset = record.conversation.conversation_id.split("-")[1]
        ratings = _ratings(record)
        for risk in frustration_risk(Context(record.conversation, Options())):
            rated = ratings.get(str(risk.turn.turn_id))
            if rated:
                scored[subset].append((risk.value, statistics.mean(rated) < DISSATISFIED_BELOW))
    found = {subset: auc(scored[subset]) for subset in SUBSETS}
    for subset, value in found.items():
        yield Row(f"uss/{subset}", len(scored[subset]), "AUC of frustration for a dissatisfied user turn", value)
    measured = [value for value in found.values() if value is not None]
    turns = sum(len(scored[subset]) for subset in SUBSETS)
    yield Row("uss", turns, "mean AUC of the four", statistics.mean(measured), ">= .73")


def _ratings(record: Record) -> dict[str, list[float]]:
    ratings: dict[str, list[float]] = defaultdict(list)
    for annotation in record.annotations:
        if annotation["type"] == "turn_satisfaction":
            ratings[str(annotation["turn_id"])].append(float(annotation["label"]))
    return ratings
