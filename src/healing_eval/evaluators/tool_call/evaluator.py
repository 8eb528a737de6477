"""Were the tools called rightly, with values that come from somewhere, and their answers used?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Self

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Findings, Issue, Score, score_of
from healing_eval.evaluators.options import convert_options, version_of
from healing_eval.evaluators.rules import judge_each
from healing_eval.evaluators.tool_call.arguments import check_arguments
from healing_eval.evaluators.tool_call.context import Context
from healing_eval.evaluators.tool_call.denial import check_denial
from healing_eval.evaluators.tool_call.described import check_described
from healing_eval.evaluators.tool_call.expected import check_expected
from healing_eval.evaluators.tool_call.grounding.check import Grounding
from healing_eval.evaluators.tool_call.options import Options
from healing_eval.evaluators.tool_call.recovery import check_recovery
from healing_eval.evaluators.tool_call.repetition import check_repetition
from healing_eval.evaluators.tool_call.tools import SchemaShelf
from healing_eval.evaluators.tool_call.unfounded import check_unfounded
from healing_eval.evaluators.tool_call.unmade import asks_by_name, check_unmade
from healing_eval.evaluators.tool_call.written import check_written, writes_calls
from healing_eval.ports.evaluator import EvaluatorSetup, Fact

CODE_VERSION = "3"
"""Raise it whenever the same conversation may be judged differently."""


class ToolCalls:
    """Checks names, schemas, grounds, repetition, recovery and expectations; no model."""

    name = "tool_call"
    weight = 25.0
    lane = "checks"
    needs: frozenset[str] = frozenset({"tool_calls"})

    def __init__(self, options: Options) -> None:
        self.options = options
        self.version = version_of(CODE_VERSION, options)
        self._shelf = SchemaShelf()

    @classmethod
    def create(cls, setup: EvaluatorSetup) -> Self:
        return cls(convert_options("tool_call", setup.options, Options))

    def inapplicable(self, conversation: Conversation) -> str | None:
        if conversation.expected_calls is not None:
            return None
        for turn in conversation.turns:
            if turn.tool_calls and turn.role == "assistant":
                return None
        return None if writes_calls(conversation) or asks_by_name(conversation) else "no tool calls"

    def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        return judge_each(self, conversations)

    def facts(self, conversation: Conversation) -> Sequence[Fact] | None:
        """Give what its checks find."""
        if self.inapplicable(conversation) is not None:
            return None
        found = self.judge(conversation)
        return found.issues if isinstance(found, Findings) else None

    def facts_in(self, issues: Sequence[Fact]) -> Sequence[Fact]:
        """All it finds are facts."""
        return issues

    def judge(self, conversation: Conversation) -> Findings | Abstention:
        """Run every check on one conversation; without anything to hold a call against there is no opinion on it."""
        context = Context(conversation, self.options, self._shelf)
        grounding = Grounding(context)
        formal = [*check_arguments(context), *check_described(context), *check_written(context)]
        made_up = list(grounding.check())
        whole = [*check_unfounded(context, made_up), *check_unmade(context)]
        course = [*check_repetition(context), *check_recovery(context), *check_denial(context)]
        against = list(check_expected(context))
        issues = (*formal, *made_up, *whole, *course, *against)
        scores = tuple(_scores(context, formal, grounding, course, against))
        if not scores and not issues:
            return Abstention(f"nothing to check: {_explain(context, grounding)}")
        return Findings(score_of(issues), scores, issues, _explain(context, grounding))


def _scores(
    context: Context, formal: list[Issue], grounding: Grounding, course: list[Issue], against: list[Issue]
) -> list[Score]:
    """One score for each kind of check that had something to look at."""
    scores: list[Score] = []
    calls = context.calls
    held = sum(context.schema(one.call.tool_name).errors is not None for one in calls) if context.knows_tools else 0
    if held or formal:
        scores.append(Score("schema", score_of(formal), f"{len(formal)} breaches; {held} calls have a usable schema"))
    if grounding.checked:
        share = 1 - grounding.ungrounded / grounding.checked
        scores.append(Score("grounding", share, f"{grounding.ungrounded} of {grounding.checked} values have no ground"))
    results = [placed.call.result for placed in calls if placed.call.result is not None]
    if results:
        failed = sum([result.error is not None for result in results])
        scores.append(Score("execution", 1 - failed / len(results), f"{failed} of {len(results)} calls failed"))
        scores.append(Score("course", score_of(course), f"{len(course)} repeated, unrecovered or contradicted"))
    if context.conversation.expected_calls is not None:
        scores.append(Score("expected", score_of(against), f"{len(against)} departures from the expected calls"))
    return scores


def _explain(context: Context, grounding: Grounding) -> str:
    remarks = [f"{len(context.calls)} calls, {grounding.checked} values looked up"]
    if grounding.passed_over:
        remarks.append(f"{grounding.passed_over} values passed over, since too much text had been searched")
    if not context.knows_tools:
        remarks.append("no tool definitions, so names and schemas were not checked")
        return "; ".join(remarks)
    names = dict.fromkeys(placed.call.tool_name for placed in context.calls)
    unusable = [name[:80] for name in names if context.schema(name).fault is not None]
    if unusable:
        remarks.append(f"schema unusable: {', '.join(unusable[:5])}")
    return "; ".join(remarks)
