"""How do evaluators that ask no model go through a batch?"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Findings, Result


class ByRules(Protocol):
    """An evaluator that judges one conversation at once."""

    name: str
    version: str

    def inapplicable(self, conversation: Conversation) -> str | None:
        """Say why it has no opinion; None if it has."""
        ...

    def judge(self, conversation: Conversation) -> Findings | Abstention:
        """Judge a conversation it applies to; it may turn out that there was nothing to measure."""
        ...


async def judge_each(evaluator: ByRules, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
    """Give each conversation its evaluation, with the time it took; the pipeline sees to pauses."""
    for conversation in conversations:
        started = time.perf_counter()
        reason = evaluator.inapplicable(conversation)
        result: Result = Abstention(reason) if reason else evaluator.judge(conversation)
        seconds = time.perf_counter() - started
        yield Evaluation(conversation.key, evaluator.name, evaluator.version, result, latency_seconds=seconds)
