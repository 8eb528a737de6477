"""How do many evaluations become one verdict?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from healing_eval.domain.evaluation import Evaluation, Findings, Missing, Outcome, Verdict


class VerdictRules(msgspec.Struct, frozen=True):
    """By which rules evaluations are weighed."""

    weights: Mapping[str, float]
    """Evaluator to weight, any positive scale."""
    fail_below: float = 0.5
    min_measured_weight: float = 0.3
    """Share of all weight that must have measured, in [0, 1]; below it the outcome is unknown."""


def weigh(evaluations: Sequence[Evaluation], rules: VerdictRules, *, final: bool = True) -> Verdict:
    """Weigh what measured, name what is missing, decide the outcome.

    A critical issue from a deterministic evaluator fails the conversation whatever the mean, so that a judge's pass
    never overrules a failed check.
    """
    measured = {e.evaluator: e.result for e in evaluations if isinstance(e.result, Findings)}
    total = sum(rules.weights.values())
    weight = sum(rules.weights.get(name, 0.0) for name in measured)
    enough = total > 0 and weight / total >= rules.min_measured_weight - 1e-9
    shares = {name: rules.weights.get(name, 0.0) / weight for name in measured} if weight > 0 else {}
    overall = sum(share * measured[name].overall for name, share in shares.items()) if enough else None
    return Verdict(
        overall=overall,
        outcome=_outcome(overall, evaluations, rules),
        missing=_missing(evaluations, rules, "did not run" if final else "not run yet"),
        weights=shares,
        final=final,
    )


def _outcome(overall: float | None, evaluations: Iterable[Evaluation], rules: VerdictRules) -> Outcome:
    if any(_is_critical(e) for e in evaluations):
        return "fail"
    if overall is None:
        return "unknown"
    return "fail" if overall < rules.fail_below else "pass"


def _is_critical(evaluation: Evaluation) -> bool:
    result = evaluation.result
    if not evaluation.deterministic or not isinstance(result, Findings):
        return False
    return "critical" in [found.severity for found in result.issues]


def _missing(evaluations: Sequence[Evaluation], rules: VerdictRules, never_ran: str) -> tuple[Missing, ...]:
    """Name every evaluator without findings, those that never ran included."""
    ran = {e.evaluator: e.result for e in evaluations}
    reasons = {name: never_ran for name in rules.weights if name not in ran}
    reasons |= {name: result.reason for name, result in ran.items() if not isinstance(result, Findings)}
    return tuple(Missing(name, reason) for name, reason in sorted(reasons.items()))
