"""A judge's model that says what a test wants, without a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Self

import pytest

from healing_eval.ports.chat_model import ChatAnswer, ChatRequest
from healing_eval.testing.fake_answers import honest

Say = Callable[[dict[str, Any]], Any]


class ScriptedModel:
    """Answers honestly, after `change` had its way with the answer; a text is said as it is."""

    context_tokens = 8000

    def __init__(self, *changes: Say, name: str = "fake:model") -> None:
        self.name = name
        self.asked: list[ChatRequest] = []
        self._changes = changes

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        return cls(name=model)

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        change = self._changes[min(len(self.asked), len(self._changes) - 1)] if self._changes else None
        self.asked.append(request)
        answer = honest([{"role": one.role, "content": one.content} for one in request.messages])
        said = answer if change is None else change(answer)
        text = said if isinstance(said, str) else json.dumps(answer)
        return ChatAnswer(text=text, model="served", input_tokens=10, output_tokens=5)

    async def close(self) -> None:
        pass


@pytest.fixture
def scripted() -> type[ScriptedModel]:
    return ScriptedModel
