"""What does an evaluator do that does as it is told? A complete fake, for tests of whatever runs evaluators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Findings
from healing_eval.ports.evaluator import EvaluatorSetup


class ToyEvaluator:
    """Measures 1.0, and behaves otherwise for the conversation ids it is told about.

    Attributes:
        seen: the ids it was asked about, in order.
        asked: set with the first one.
        raises_on: what to raise, by id.
        scores_on: what to score instead of 1.0, by id.
        gives_on: what to give as its result, by id; plug-ins give anything.
        yields_on: what to yield instead of an evaluation, by id.
        silent_on: ids it gives no evaluation for.
        waits_on: what to wait for before going on, by id.
        inapplicable_on: why it does not apply, by id.
    """

    version = "v1"
    weight = 1.0
    needs: frozenset[str] = frozenset()

    def __init__(self, name: str = "toy", lane: str = "checks") -> None:
        self.name = name
        self.lane = lane
        self.seen: list[str] = []
        self.asked = asyncio.Event()
        self.raises_on: dict[str, Exception] = {}
        self.silent_on: set[str] = set()
        self.scores_on: dict[str, float] = {}
        self.gives_on: dict[str, Any] = {}
        self.yields_on: dict[str, Any] = {}
        self.waits_on: dict[str, asyncio.Event] = {}
        self.inapplicable_on: dict[str, str] = {}

    @classmethod
    def create(cls, setup: EvaluatorSetup) -> Self:
        return cls()

    def inapplicable(self, conversation: Conversation) -> str | None:
        return self.inapplicable_on.get(conversation.conversation_id)

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        for conversation in conversations:
            name = conversation.conversation_id
            self.seen.append(name)
            self.asked.set()
            if name in self.waits_on:
                await self.waits_on[name].wait()
            if name in self.raises_on:
                raise self.raises_on[name]
            if name in self.yields_on:
                yield self.yields_on[name]
            elif name not in self.silent_on:
                result = self.gives_on.get(name, Findings(self.scores_on.get(name, 1.0)))
                yield Evaluation(conversation.key, self.name, self.version, result)
