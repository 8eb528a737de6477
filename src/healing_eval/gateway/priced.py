"""Who writes on each answer what it cost? Stands in front of the model."""

from __future__ import annotations

import time
from typing import Any, cast

import msgspec

from healing_eval.gateway.prices import Prices
from healing_eval.ports.chat_model import ChatAnswer, ChatModel, ChatRequest


def priced_model(model: ChatModel, prices: Prices) -> ChatModel:
    """Have a model's answers say what they cost."""
    return cast("ChatModel", _PricedModel(model, prices))


def priced_batch_answer(answer: ChatAnswer, prices: Prices, share: float) -> ChatAnswer:
    """Write on an answer that came in a batch just now what it cost; `share` is as in `Prices.batch_cost_of`."""
    return msgspec.structs.replace(answer, cost_dollars=prices.batch_cost_of(answer, time.time(), share))


class _PricedModel:
    def __init__(self, model: ChatModel, prices: Prices) -> None:
        self._real: Any = model
        self._prices = prices

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        answer = await self._real.ask(request)
        cost = self._prices.cost_of(answer, time.time())
        return msgspec.structs.replace(answer, cost_dollars=cost)
