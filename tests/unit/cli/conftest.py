"""An evaluator that needs nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Self

import pytest

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Findings, issue
from healing_eval.domain.verdict import VerdictRules
from healing_eval.panel import Panel
from healing_eval.ports.evaluator import EvaluatorSetup


class Toy:
    """Finds a loop wherever the word "again" stands, and breaks on the word "crash"."""

    name = "toy"
    version = "v1"
    weight = 1.0
    lane = "checks"
    needs: frozenset[str] = frozenset()

    @classmethod
    def create(cls, setup: EvaluatorSetup) -> Self:
        return cls()

    def inapplicable(self, conversation: Conversation) -> str | None:
        return "one turn only" if len(conversation.turns) == 1 else None

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        for one in conversations:
            text = " ".join(turn.content for turn in one.turns)
            if "crash" in text:
                raise ValueError("the toy broke")
            found = (issue("loop", f"says {text}", turn_id=one.turns[0].turn_id),) if "again" in text else ()
            yield Evaluation(one.key, self.name, self.version, Findings(0.2 if found else 1.0, issues=found))


@pytest.fixture
def toy_panel() -> Panel:
    return Panel((Toy(),), VerdictRules({"toy": 1.0}))
