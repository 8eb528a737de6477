"""A judge's model that says what a test wants, without a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import pytest

from healing_eval.ports.chat_model import ChatAnswer, ChatRequest
from healing_eval.testing.fake_answers import honest

Say = Callable[[dict[str, Any]], Any]


class ScriptedModel:
    """Answers honestly, after `change` had its way with the answer; a text is said as it is."""

    context_tokens = 8000
    base_url = None

    def __init__(self, *changes: Say, name: str = "fake:model", costs: Sequence[float | None] = (None,)) -> None:
        self.name = name
        self.asked: list[ChatRequest] = []
        self._changes = changes
        self._costs = costs

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        return cls(name=model)

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        change = self._changes[min(len(self.asked), len(self._changes) - 1)] if self._changes else None
        self.asked.append(request)
        answer = honest([{"role": one.role, "content": one.content} for one in request.messages])
        said = answer if change is None else change(answer)
        text = said if isinstance(said, str) else json.dumps(answer)
        cost = self._costs[min(len(self.asked), len(self._costs)) - 1]
        return ChatAnswer(
            text=text, model="served", input_tokens=10, cached_input_tokens=4, output_tokens=5, cost_dollars=cost
        )

    async def close(self) -> None:
        pass


@pytest.fixture
def scripted() -> type[ScriptedModel]:
    return ScriptedModel
