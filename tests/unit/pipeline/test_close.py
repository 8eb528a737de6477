"""Does whoever closes a lane say what became of each?"""

from __future__ import annotations

from collections.abc import Sequence

from healing_eval.domain.evaluation import Abstention, Evaluation, Findings, ModelUse
from healing_eval.domain.verdict import VerdictRules
from healing_eval.pipeline.close import Closer, Lane, Step
from healing_eval.pipeline.retries import Retries
from healing_eval.ports.ledger import Ledger
from healing_eval.testing.builders import a_conversation, a_submission
from healing_eval.testing.toy import ToyEvaluator

NAMES = ("slow", "unsaid", "remembered", "silent")


async def _never_failed(keys: Sequence[object], _: float) -> Sequence[float]:
    return [0.0] * len(keys)


async def _closed(ledger: Ledger, *evaluators: ToyEvaluator) -> list[Step]:
    receipts = await ledger.add([a_submission(a_conversation(name)) for name in NAMES], ("judges",))
    lane = Lane("judges", evaluators, VerdictRules({"toy": 1.0}))
    closer = Closer(lane, ledger, Retries(0.0, _never_failed), slice_seconds=1.0)
    return [step async for step in closer.close([one.revision_key for one in receipts])]


def _took(name: str, evaluator: str, seconds: float, use: ModelUse | None = None) -> Evaluation:
    key = a_conversation(name).key
    return Evaluation(key, evaluator, "v1", Findings(1.0), latency_seconds=seconds, model_use=use)


async def test_it_tells_how_long_asking_took_where_anything_was_asked(ledger: Ledger) -> None:
    toy, other = ToyEvaluator("toy"), ToyEvaluator("other")
    toy.yields_on["slow"] = _took("slow", "toy", 30.0, ModelUse("m", calls=1))
    other.yields_on["slow"] = _took("slow", "other", 10.0)
    toy.yields_on["remembered"] = _took("remembered", "toy", 30.0, ModelUse("m", calls=0))
    other.gives_on |= {"remembered": Abstention("nothing"), "silent": Abstention("nothing")}
    toy.gives_on["silent"] = Abstention("nothing")

    steps = await _closed(ledger, toy, other)

    slow, unsaid = sorted((seconds for step in steps for seconds in step.asked), reverse=True)
    assert slow == 30.0  # of the slower one
    assert 0.0 < unsaid < 10.0  # it did not say, so it is what passed
    assert sum(step.stored for step in steps) == len(NAMES)
