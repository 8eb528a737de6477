"""Is a model asked no more than its provider allows, whatever becomes of the questions?"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any, cast

import pytest

from healing_eval.backends.limiter.memory import MemoryLimiter
from healing_eval.errors import BackendError, ModelBusy, ModelUnavailable
from healing_eval.gateway.limited import LONGEST_PAUSE_SECONDS, limited_model
from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatModel, ChatRequest
from healing_eval.ports.limiter import Limiter, Need, RateLimit, Turn

ONE_A_MINUTE = RateLimit(requests_per_minute=1)
QUESTION = ChatRequest(messages=[ChatMessage("user", "x" * 400)], max_output_tokens=50, longest_wait_seconds=math.inf)
ANSWER = ChatAnswer(text="so be it", model="served", input_tokens=200, output_tokens=10)


class Oracle:
    """A model that answers, or fails, as it was told."""

    name = "openai:mine"
    context_tokens = 1000
    base_url: str | None = None
    closed = False

    def __init__(self, *replies: ChatAnswer | Exception) -> None:
        self.replies = list(replies) or [ANSWER]
        self.asked: list[ChatRequest] = []

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        self.asked.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def close(self) -> None:
        self.closed = True


class Notebook:
    """A limiter that gives out turns as it was told, and writes down what it was asked for."""

    closed = False

    def __init__(self, *turns: Turn | Exception) -> None:
        self.turns = list(turns) or [Turn(granted=True, wait_seconds=0.0)]
        self.needs: list[Need] = []
        self.pauses: list[float] = []

    async def reserve(self, name: str, limit: RateLimit, need: Need, longest_wait_seconds: float) -> Turn:
        self.needs.append(need)
        turn = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        if isinstance(turn, Exception):
            raise turn
        return turn

    async def pause(self, name: str, seconds: float) -> None:
        self.pauses.append(seconds)

    async def close(self) -> None:
        self.closed = True


def limited(oracle: Oracle, limiter: Any, limit: RateLimit = ONE_A_MINUTE) -> ChatModel:
    return limited_model("mine", cast("ChatModel", oracle), cast("Limiter", limiter), limit)


async def ask(model: ChatModel, times: int) -> list[ChatAnswer | BaseException]:
    return [(await asyncio.gather(model.ask(QUESTION), return_exceptions=True))[0] for _ in range(times)]


async def test_questions_wait_for_their_turns_and_are_then_asked() -> None:
    oracle, started = Oracle(), time.monotonic()

    await ask(limited(oracle, MemoryLimiter(), RateLimit(requests_per_minute=1200)), 7)

    assert len(oracle.asked) == 7
    assert time.monotonic() - started >= 0.245  # six of 50 ms, less the burst, less what a timer may be early


async def test_what_would_wait_too_long_is_told_when_and_is_not_sent() -> None:
    oracle = Oracle()
    model = limited(oracle, MemoryLimiter())
    hurried = ChatRequest(messages=QUESTION.messages, longest_wait_seconds=30)
    await model.ask(hurried)

    with pytest.raises(ModelBusy, match="the limits of mine hold it back for") as caught:
        await model.ask(hurried)

    assert 50 < caught.value.retry_after_seconds <= 60
    assert len(oracle.asked) == 1


async def test_what_an_answer_took_beyond_what_was_expected_is_settled_with_the_next_turn() -> None:
    notebook = Notebook()

    await ask(limited(Oracle(), notebook), 2)

    assert notebook.needs[0] == Need(tokens=400 // 4 + 50)
    assert notebook.needs[1].extra_tokens == 210 - 150


async def test_estimates_come_to_what_answers_take() -> None:
    notebook = Notebook()

    await ask(limited(Oracle(), notebook), 100)

    assert notebook.needs[-1].tokens == pytest.approx(210, rel=0.05)
    assert abs(sum(need.tokens + need.extra_tokens for need in notebook.needs) - 100 * 210) <= 210


async def test_an_answer_that_tells_no_tokens_counts_as_was_expected() -> None:
    notebook = Notebook()

    await ask(limited(Oracle(ChatAnswer(text="so be it", model="served")), notebook), 2)

    assert notebook.needs == [Need(tokens=150)] * 2


def _retried() -> Sequence[ChatAnswer | Exception]:
    return ChatAnswer(text="at last", model="served", requests=3), ModelUnavailable("down", requests=4), ANSWER


async def test_retries_count_as_requests() -> None:
    notebook = Notebook()

    await ask(limited(Oracle(*_retried()), notebook), 3)

    assert [need.extra_requests for need in notebook.needs] == [0, 2, 3]


@pytest.mark.parametrize(
    ("asked_for", "pauses"), [(None, []), (0.0, []), (7.0, [7.0]), (10.0**9, [LONGEST_PAUSE_SECONDS])]
)
async def test_when_the_provider_wants_to_be_left_alone_everybody_leaves_it_alone(
    asked_for: float | None, pauses: list[float]
) -> None:
    notebook = Notebook()
    model = limited(Oracle(ModelUnavailable("429", retry_after_seconds=asked_for)), notebook)

    with pytest.raises(ModelUnavailable, match="429"):
        await model.ask(QUESTION)

    assert notebook.pauses == pauses


async def test_nobody_asks_while_turns_cannot_be_had_and_what_is_owed_is_not_forgotten() -> None:
    oracle = Oracle(ChatAnswer(text="at last", model="served", requests=3))
    granted = Turn(granted=True, wait_seconds=0.0)
    notebook = Notebook(granted, BackendError("redis at r: gone"), granted)

    _, failed, _ = await ask(limited(oracle, notebook), 3)

    assert isinstance(failed, ModelUnavailable)
    assert "redis at r: gone" in str(failed)
    assert len(oracle.asked) == 2
    assert [need.extra_requests for need in notebook.needs] == [0, 2, 2]


async def test_everything_else_is_asked_of_the_model_and_both_are_closed() -> None:
    oracle, notebook = Oracle(), Notebook()
    model = limited(oracle, notebook)

    assert model.context_tokens == 1000
    await model.close()

    assert oracle.closed
    assert notebook.closed
