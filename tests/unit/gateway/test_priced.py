"""Does each answer say what it cost?"""

from __future__ import annotations

from typing import cast

from healing_eval.gateway.priced import priced_model
from healing_eval.gateway.prices import Prices
from healing_eval.gateway.rates import Rates
from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatModel, ChatRequest

REQUEST = ChatRequest(messages=[ChatMessage("user", "Hello")])


class Oracle:
    """A model that answers always the same."""

    name = "openai:mine"
    context_tokens = 1000
    base_url: str | None = None
    closed = False

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        return ChatAnswer(text="so be it", model="served", input_tokens=1000, output_tokens=10)

    async def close(self) -> None:
        self.closed = True


def priced(oracle: Oracle, **own: Rates) -> ChatModel:
    prices = Prices(oracle.name, oracle.base_url, {f"openai:{name}": rates for name, rates in own.items()})
    return priced_model(cast("ChatModel", oracle), prices)


async def test_an_answer_comes_with_its_cost_and_is_the_same_otherwise() -> None:
    plain = await Oracle().ask(REQUEST)

    answer = await priced(Oracle(), mine=Rates(input_dollars=2, output_dollars=50)).ask(REQUEST)

    assert answer.cost_dollars == 0.0025
    assert (answer.text, answer.model, answer.input_tokens) == (plain.text, plain.model, plain.input_tokens)


async def test_what_is_not_known_is_none() -> None:
    assert (await priced(Oracle()).ask(REQUEST)).cost_dollars is None


async def test_everything_else_is_asked_of_the_model() -> None:
    oracle = Oracle()
    model = priced(oracle)

    await model.close()

    assert oracle.closed
    assert (model.name, model.context_tokens) == ("openai:mine", 1000)
