"""How do many evaluations become one verdict?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import msgspec

from healing_eval.domain.evaluation import Evaluation, Findings, Missing, Outcome, Verdict


class VerdictRules(msgspec.Struct, frozen=True):
    """By which rules evaluations are weighed."""

    weights: Mapping[str, float]
    """Evaluator to weight, any positive scale."""
    fail_below: float = 0.5
    min_measured_weight: float = 0.3
    """Share of all weight that must have measured, in [0, 1]; below it the outcome is unknown."""


class Opinion(msgspec.Struct, frozen=True):
    """What of an evaluation counts in the verdict."""

    evaluator: str
    overall: float | None
    """None if it did not measure."""
    reason: str = ""
    """Why it did not."""
    is_critical: bool = False
    """Whether it found an issue of severity critical, and is deterministic."""

    @classmethod
    def of(cls, evaluation: Evaluation) -> Self:
        """Take from an evaluation what counts."""
        result = evaluation.result
        if not isinstance(result, Findings):
            return cls(evaluation.evaluator, None, result.reason)
        is_critical = evaluation.deterministic and "critical" in [found.severity for found in result.issues]
        return cls(evaluation.evaluator, result.overall, is_critical=is_critical)


def weigh(evaluations: Iterable[Evaluation], rules: VerdictRules, *, final: bool = True) -> Verdict:
    """Weigh evaluations as `weigh_opinions` does."""
    return weigh_opinions([Opinion.of(one) for one in evaluations], rules, final=final)


def weigh_opinions(opinions: Sequence[Opinion], rules: VerdictRules, *, final: bool = True) -> Verdict:
    """Weigh what measured, name what is missing, decide the outcome.

    A critical issue from a deterministic evaluator fails the conversation whatever the mean, so that a judge's pass
    never overrules a failed check.
    """
    measured = {one.evaluator: one.overall for one in opinions if one.overall is not None}
    total = sum(rules.weights.values())
    weight = sum(rules.weights.get(name, 0.0) for name in measured)
    enough = total > 0 and weight / total >= rules.min_measured_weight - 1e-9
    shares = {name: rules.weights.get(name, 0.0) / weight for name in measured} if weight > 0 else {}
    overall = sum(share * measured[name] for name, share in shares.items()) if enough else None
    return Verdict(
        overall=overall,
        outcome=_outcome(overall, opinions, rules),
        missing=_missing(opinions, rules, "did not run" if final else "not run yet"),
        weights=shares,
        final=final,
    )


def _outcome(overall: float | None, opinions: Sequence[Opinion], rules: VerdictRules) -> Outcome:
    if any(one.is_critical for one in opinions):
        return "fail"
    if overall is None:
        return "unknown"
    return "fail" if overall < rules.fail_below else "pass"


def _missing(opinions: Sequence[Opinion], rules: VerdictRules, never_ran: str) -> tuple[Missing, ...]:
    """Name every evaluator without findings, those that never ran included."""
    ran = {one.evaluator: one for one in opinions}
    reasons = {name: never_ran for name in rules.weights if name not in ran}
    reasons |= {name: one.reason for name, one in ran.items() if one.overall is None}
    return tuple(Missing(name, reason) for name, reason in sorted(reasons.items()))
