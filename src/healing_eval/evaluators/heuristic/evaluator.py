"""What do plain rules say about a conversation?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Self

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Findings, Issue, score_of
from healing_eval.domain.issue_types import SUSPICION
from healing_eval.evaluators.heuristic import completeness, form, latency, repetition, tool_failures
from healing_eval.evaluators.heuristic.context import Context, read_context
from healing_eval.evaluators.heuristic.injection import suspected
from healing_eval.evaluators.heuristic.options import Options, compile_pattern, read_options
from healing_eval.evaluators.heuristic.scores import scores
from healing_eval.evaluators.options import version_of
from healing_eval.evaluators.rules import judge_each
from healing_eval.ports.evaluator import EvaluatorSetup, Fact

CODE_VERSION = "3"
"""Raise it whenever the same conversation may be judged differently."""

CHECKS: tuple[Callable[[Context], Iterator[Issue]], ...] = (
    latency.check,
    completeness.check,
    repetition.check,
    tool_failures.check,
    form.check,
)


class Heuristic:
    """Judges speed, completeness, repetition, failed tools and form by rules; no model, no state."""

    name = "heuristic"
    weight = 20.0
    lane = "checks"
    needs: frozenset[str] = frozenset()

    def __init__(self, options: Options) -> None:
        self.options = options
        wanted = tuple((compile_pattern(source, "must_match"), True) for source in options.format.must_match)
        refused = tuple((compile_pattern(source, "must_not_match"), False) for source in options.format.must_not_match)
        self._patterns = wanted + refused
        self.version = version_of(CODE_VERSION, options)

    @classmethod
    def create(cls, setup: EvaluatorSetup) -> Self:
        return cls(read_options(setup.options))

    def inapplicable(self, conversation: Conversation) -> str | None:
        return None if conversation.evaluable else "no assistant turn"

    def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        return judge_each(self, conversations)

    def facts(self, conversation: Conversation) -> Sequence[Fact] | None:
        """Give what its checks find."""
        return self._check(conversation)[1] if conversation.evaluable else None

    def facts_in(self, issues: Sequence[Fact]) -> Sequence[Fact]:
        """Leave out what is only suspected."""
        return [one for one in issues if one.type != SUSPICION]

    def _check(self, conversation: Conversation) -> tuple[Context, list[Issue]]:
        context = read_context(conversation, self.options, self._patterns)
        return context, [found for check in CHECKS for found in check(context)]

    def judge(self, conversation: Conversation) -> Findings:
        """Run every check on one conversation that has an assistant turn."""
        context, issues = self._check(conversation)
        for_people = suspected(conversation) if self.options.suspect_injections else ()
        return Findings(
            overall=score_of(issues),
            scores=tuple(scores(context, issues)),
            issues=(*issues, *for_people),
            explanation=_explain(context),
        )


def _explain(context: Context) -> str:
    """Say what was not measured, or not trusted."""
    remarks: list[str] = []
    if not context.delays.turns:
        remarks.append("latency not measured: no usable timestamps and no tool latencies")
    if context.delays.out_of_order:
        remarks.append(f"{context.delays.out_of_order} timestamps out of order, not measured")
    return "; ".join(remarks)
