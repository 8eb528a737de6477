"""Does a question find who answers it, whoever fails?"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator
from typing import cast

import msgspec
import pytest
import stamina

from healing_eval.errors import ModelBusy, ModelError, ModelRefused, ModelUnavailable, NotAdmitted, UnreadableVerdict
from healing_eval.gateway.breaker import FAILURES_IN_A_ROW, REFUSALS_IN_A_ROW
from healing_eval.gateway.deployment import LONGEST_THROTTLED_SECONDS, Deployment
from healing_eval.gateway.patience import FIRST_SECONDS, Patience
from healing_eval.gateway.router import ROUNDS, Router
from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatModel, ChatRequest

QUESTION = ChatRequest(messages=[ChatMessage("user", "well?")], timeout_seconds=5.0, longest_wait_seconds=0.0)
DOWN = ModelUnavailable("the model's server answered 500")
BARRED = NotAdmitted("the model's server answered 401: this key was revoked", status=401)


@pytest.fixture(autouse=True)
def retries_without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ROUNDS, cap=True):
        yield


class Server:
    """Answers with its own name, or fails as it was told: once for each failure, the last one for ever."""

    context_tokens = 1000
    base_url: str | None = None
    closed = False

    def __init__(self, name: str, *failures: Exception | None, seconds: float = 0.0) -> None:
        self.name = name
        self.failures: list[Exception | None] = list(failures)
        self.seconds = seconds
        self.asked: list[ChatRequest] = []

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        self.asked.append(request)
        failure = self.failures[0] if self.failures else None
        if len(self.failures) > 1:
            self.failures.pop(0)
        if failure is not None:
            raise failure
        try:
            async with asyncio.timeout(request.timeout_seconds):
                await asyncio.sleep(self.seconds)
        except TimeoutError as error:
            raise ModelUnavailable("no answer", timed_out=True) from error
        return ChatAnswer(text="yes", model=f"{self.name}-served", seconds=self.seconds)

    async def close(self) -> None:
        self.closed = True


def router(*servers: Server, weights: tuple[float, ...] = (), patience_seconds: float = FIRST_SECONDS) -> Router:
    """Make a pool; without weights each has 1, and among equals the first is asked."""
    deployments = [
        Deployment(
            f"d{index}",
            cast("ChatModel", server),
            weight=weights[index] if weights else 1.0,
            patience=Patience(least_seconds=patience_seconds, first_seconds=patience_seconds),
        )
        for index, server in enumerate(servers)
    ]
    return Router("pool", deployments, draw=lambda: 0.5)


async def test_an_answer_says_who_gave_it_and_after_how_many_requests() -> None:
    answer = await router(Server("openai:m", DOWN), Server("anthropic:n")).ask(QUESTION)

    assert (answer.deployment, answer.provider, answer.model) == ("d1", "anthropic", "anthropic:n-served")
    assert answer.requests == 2


async def test_failover_goes_to_other_keys_then_other_models_then_other_providers() -> None:
    first = Server("openai:a", DOWN)
    others = [Server("anthropic:a", DOWN), Server("openai:b", DOWN), Server("openai:a", DOWN)]
    others[0].failures = [ModelRefused("asked in vain")]
    pool = router(first, *others)

    with pytest.raises(ModelRefused, match="asked in vain"):
        await pool.ask(QUESTION)

    asked = [server.name for server in (first, others[2], others[1], others[0]) if server.asked]
    assert asked == ["openai:a", "openai:a", "openai:b", "anthropic:a"]
    assert [len(server.asked) for server in (first, *others)] == [1, 1, 1, 1]


async def test_work_is_shared_by_weight_and_a_weight_of_0_is_only_for_need() -> None:
    servers = [Server("openai:m", seconds=0.05) for _ in range(3)]
    pool = router(*servers, weights=(3.0, 1.0, 0.0))

    await asyncio.gather(*(pool.ask(QUESTION) for _ in range(80)))

    assert [len(server.asked) for server in servers] == [60, 20, 0]
    for server in servers[:2]:
        server.failures = [DOWN]
    assert (await pool.ask(QUESTION)).deployment == "d2"


async def test_a_key_that_was_revoked_is_left_alone() -> None:
    revoked, good = Server("openai:m", BARRED), Server("openai:m")
    pool = router(revoked, good)

    answers = [await pool.ask(QUESTION) for _ in range(50)]

    assert {answer.deployment for answer in answers} == {"d1"}
    assert len(revoked.asked) == REFUSALS_IN_A_ROW


async def test_if_none_takes_anything_from_us_each_question_hears_why_at_once() -> None:
    servers = Server("openai:m", BARRED), Server("openai:m", BARRED)
    pool = router(*servers)
    for _ in range(6):
        with pytest.raises(NotAdmitted, match="this key was revoked") as caught:
            await pool.ask(QUESTION)
        assert caught.value.status == 401

    assert [len(server.asked) for server in servers] == [REFUSALS_IN_A_ROW] * 2


async def test_a_text_that_is_refused_like_a_key_shuts_out_nobody_else() -> None:
    """As by a guard before the server, which answers 403 to what looks like an attack."""
    servers = [Server("openai:m", BARRED, None), Server("openai:m", BARRED, None)]
    pool = router(*servers)
    with pytest.raises(NotAdmitted):
        await pool.ask(QUESTION)

    assert [(await pool.ask(QUESTION)).text for _ in range(4)] == ["yes"] * 4


@pytest.mark.parametrize("error", [ModelRefused("too long"), UnreadableVerdict("no JSON", raw_answer="?")])
async def test_what_the_question_itself_is_to_blame_for_is_not_asked_of_others(error: ModelError) -> None:
    other = Server("openai:m")

    with pytest.raises(type(error)):
        await router(Server("openai:m", error), other).ask(QUESTION)

    assert not other.asked


async def test_failures_that_pass_are_asked_again_and_counted() -> None:
    server = Server("openai:m", DOWN, DOWN, None)

    answer = await router(server).ask(QUESTION)

    assert answer.requests == 3


async def test_who_never_answers_is_given_up_with_its_own_words() -> None:
    server = Server("openai:m", DOWN)

    with pytest.raises(ModelUnavailable, match="answered 500") as caught:
        await router(server).ask(QUESTION)

    assert caught.value.requests == len(server.asked) == ROUNDS


async def test_one_that_hangs_takes_down_only_itself() -> None:
    hanging, good = Server("openai:m", seconds=math.inf), Server("openai:m", seconds=0.001)
    pool = router(hanging, good, patience_seconds=0.02)

    async def ask_on(times: int) -> list[str | None]:
        return [(await pool.ask(QUESTION)).deployment for _ in range(times)]

    answers = await asyncio.gather(*(ask_on(20) for _ in range(4)))

    assert answers == [["d1"] * 20] * 4
    assert FAILURES_IN_A_ROW <= len(hanging.asked) < FAILURES_IN_A_ROW + 4  # as many as ask at once


async def test_what_one_asks_to_wait_for_is_asked_of_another_meanwhile() -> None:
    throttled = Server("openai:m", ModelUnavailable("429", retry_after_seconds=30.0), None)
    other = Server("openai:m")
    pool = router(throttled, other)

    answers = Counter([(await pool.ask(QUESTION)).deployment for _ in range(20)])

    assert answers == {"d1": 20}
    assert len(throttled.asked) == 1


async def test_a_pause_that_the_question_has_time_for_is_waited_out() -> None:
    server = Server("openai:m", ModelUnavailable("429", retry_after_seconds=0.05), None)

    assert (await router(server).ask(QUESTION)).requests == 2


async def test_a_longer_pause_holds_the_question_back_without_a_failure() -> None:
    server = Server("openai:m", ModelUnavailable("429", retry_after_seconds=1e9), None)
    pool = router(server)

    held = [(await asyncio.gather(pool.ask(QUESTION), return_exceptions=True))[0] for _ in range(2)]

    for one in held:
        assert isinstance(one, ModelBusy)
        assert LONGEST_THROTTLED_SECONDS - 1 < one.retry_after_seconds <= LONGEST_THROTTLED_SECONDS
    assert len(server.asked) == 1


async def test_what_limits_hold_is_asked_of_another_and_else_held_for_the_shortest_time() -> None:
    held = [Server("openai:m", ModelBusy("full", retry_after_seconds=seconds)) for seconds in (40.0, 20.0)]

    with pytest.raises(ModelBusy, match=r"limits of pool hold it back for 20\.0 s") as caught:
        await router(*held).ask(QUESTION)

    assert caught.value.retry_after_seconds == 20.0
    assert (await router(*held, Server("openai:m")).ask(QUESTION)).deployment == "d2"


async def test_limits_that_hold_it_are_no_failure_even_if_another_fails() -> None:
    held = Server("openai:m", ModelBusy("full", retry_after_seconds=9.0))

    with pytest.raises(ModelBusy):
        await router(held, Server("openai:m", DOWN)).ask(QUESTION)


async def test_with_others_to_turn_to_a_silent_one_is_not_waited_for_to_the_end() -> None:
    silent, other = Server("openai:m", DOWN, None), Server("openai:m", DOWN, None)
    patient = msgspec.structs.replace(QUESTION, timeout_seconds=60.0)
    await router(silent, other).ask(patient)

    assert silent.asked[0].timeout_seconds == 20.0  # before anything is known
    assert other.asked[0].timeout_seconds == pytest.approx(60.0, abs=1.0)  # the last one that is left has all the time


async def test_a_question_that_was_cancelled_leaves_nothing_behind() -> None:
    server = Server("openai:m", seconds=10.0)
    pool = router(server)
    task = asyncio.create_task(pool.ask(QUESTION))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert pool.deployments[0].in_flight == 0


async def test_a_pool_says_which_models_it_has_and_is_as_short_as_the_shortest() -> None:
    small, large = Server("openai:b"), Server("anthropic:a")
    small.context_tokens = 500
    pool = router(small, large, small)

    assert pool.models == ("anthropic:a", "openai:b")
    assert pool.context_tokens == 500
    await pool.close()
    assert small.closed
    assert large.closed
