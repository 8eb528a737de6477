"""Does the conversation hold together?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Self

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Findings, Issue, score_of
from healing_eval.evaluators.coherence import answers, contradiction, frustration, preferences
from healing_eval.evaluators.coherence.context import Check, Context
from healing_eval.evaluators.coherence.options import Options, read_options
from healing_eval.evaluators.coherence.scores import scores
from healing_eval.evaluators.options import version_of
from healing_eval.evaluators.rules import judge_each
from healing_eval.ports.evaluator import EvaluatorSetup, Fact

CODE_VERSION = "2"
"""Raise it whenever the same conversation may be judged differently."""

CHECKS: tuple[Check, ...] = (frustration.check, contradiction.check, answers.check, preferences.check)


class Coherence:
    """Looks for frustration, contradictions, unanswered requests and violated preferences; no model, no state."""

    name = "coherence"
    weight = 15.0
    lane = "checks"
    needs: frozenset[str] = frozenset({"two_turns"})

    def __init__(self, options: Options) -> None:
        self.options = options
        self.version = version_of(CODE_VERSION, options)

    @classmethod
    def create(cls, setup: EvaluatorSetup) -> Self:
        return cls(read_options(setup.options))

    def inapplicable(self, conversation: Conversation) -> str | None:
        roles = {turn.role for turn in conversation.turns}
        missing = [role for role in ("user", "assistant") if role not in roles]
        return f"no {missing[0]} turn" if missing else None

    def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        return judge_each(self, conversations)

    def facts(self, conversation: Conversation) -> Sequence[Fact] | None:
        """Give what its checks find."""
        return None if self.inapplicable(conversation) else tuple(_found_by(Context(conversation, self.options)))

    def facts_in(self, issues: Sequence[Fact]) -> Sequence[Fact]:
        """All it finds are facts."""
        return issues

    def judge(self, conversation: Conversation) -> Findings:
        """Run every check on one conversation with a user turn and an assistant turn.

        The overall score counts the issues only, by the penalties all evaluators share. The frustration score orders
        turns and is no calibrated probability, so it stands beside the overall score and does not move it by itself.
        """
        context = Context(conversation, self.options)
        issues = tuple(_found_by(context))
        return Findings(score_of(issues), tuple(scores(context, issues)), issues)


def _found_by(context: Context) -> Iterator[Issue]:
    for check in CHECKS:
        yield from check(context)
