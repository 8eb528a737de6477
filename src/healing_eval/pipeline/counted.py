"""What is told of evaluations: how many, how they ended, and what they took?

They are counted together, as they become ready: each touch of a metric takes a lock, and every evaluation is counted.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Sequence

import structlog

from healing_eval import telemetry
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, ModelUse, Result
from healing_eval.pipeline.pending import is_pending

log = structlog.get_logger()


def count(evaluations: Sequence[Evaluation]) -> None:
    """Count evaluations; one whose answer is on its way in a batch is none yet."""
    by_evaluator: dict[str, list[Evaluation]] = defaultdict(list)
    for one in evaluations:
        if not is_pending(one.result):
            by_evaluator[one.evaluator].append(one)
    for name, some in by_evaluator.items():
        for status, times in Tally([_status(one.result) for one in some]).items():
            telemetry.EVALUATIONS.labels(name, status).inc(times)
        looked = [one for one in some if not isinstance(one.result, Abstention)]
        telemetry.EVALUATION_SECONDS.observe(name, [one.latency_seconds for one in looked])
        _count_failures(name, [one.result for one in looked])
        _count_uses(name, [one.model_use for one in looked if one.model_use is not None])


def _status(result: Result) -> str:
    if isinstance(result, Findings):
        return "measured"
    return "abstained" if isinstance(result, Abstention) else "failed"


def _count_failures(name: str, results: Sequence[Result]) -> None:
    for result in results:
        if isinstance(result, Failure):
            telemetry.FAILURES.labels(name, _kinds(result.kind)).inc()
            log.warning("evaluation.failed", evaluator=name, kind=result.kind)


def _count_uses(name: str, uses: Sequence[ModelUse]) -> None:
    by_model: dict[str, list[ModelUse]] = defaultdict(list)
    for use in uses:
        by_model[_models(use.model)].append(use)
    for model, some in by_model.items():
        telemetry.MODEL_TOKENS.labels(name, model, "input").inc(sum([use.input_tokens or 0 for use in some]))
        telemetry.MODEL_TOKENS.labels(name, model, "output").inc(sum([use.output_tokens or 0 for use in some]))
        unpriced = [use.calls for use in some if use.cost_dollars is None]
        if unpriced:
            telemetry.UNPRICED_CALLS.labels(name, model).inc(sum(unpriced))
        if len(unpriced) < len(some):
            telemetry.MODEL_COST.labels(name, model).inc(sum([use.cost_dollars or 0.0 for use in some]))


_kinds = telemetry.Bounded()
_models = telemetry.Bounded()
