"""Which scores do the checks amount to?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from healing_eval.domain.evaluation import Issue, Score, score_of
from healing_eval.evaluators.coherence.context import Context
from healing_eval.evaluators.coherence.frustration import frustration_risk

_SCORES = (
    ("consistency", frozenset({"self_contradiction", "tool_contradiction", "user_contradiction"}), "contradictions"),
    ("answers", frozenset({"unanswered_request"}), "unanswered requests"),
    ("preferences", frozenset({"preference_violated"}), "violated preferences"),
)
_NOTHING_FOUND = tuple(Score(name, 1.0, f"no {noun} found") for name, _, noun in _SCORES)


def scores(context: Context, issues: Sequence[Issue]) -> Iterator[Score]:
    """Give the score of frustration, if a user turn has text, and one for each other group of checks."""
    frustration = _frustration(context)
    if frustration:
        yield frustration
    for (name, types, noun), nothing_found in zip(_SCORES, _NOTHING_FOUND, strict=True):
        mine = [found for found in issues if found.type in types]
        yield Score(name, score_of(mine), f"{len(mine)} {noun} found") if mine else nothing_found


def _frustration(context: Context) -> Score | None:
    """Weigh the worst of the last user turns as much as their mean: one outburst counts, and so does steady trouble."""
    last = frustration_risk(context)[-context.options.last_turns :]
    if not last:
        return None
    worst = max(last, key=lambda risk: risk.value)
    mean = sum(risk.value for risk in last) / len(last)
    reasons = ", ".join(worst.reasons) or "no signs"
    explanation = f"worst of the last {len(last)} user turns {worst.turn.turn_id!r}: {reasons}"
    return Score("frustration", 1.0 - (worst.value + mean) / 2, explanation)
