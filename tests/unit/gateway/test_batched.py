"""Does a question that may wait find its answer, whoever asks again, and does no other wait?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
import pytest
from tests.unit.gateway.conftest import Later

from healing_eval.errors import AnswerPending, BackendError, ModelBusy
from healing_eval.gateway.batched import LONGEST_PAUSE_SECONDS, LONGEST_SECONDS, batched_model
from healing_eval.ports.batch_work import Asked, BatchWork, Standing
from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatModel, ChatRequest

ANSWER = ChatAnswer(text="so be it", model="served", input_tokens=200, output_tokens=10, cost_dollars=0.5)
QUESTION = ChatRequest(
    messages=[ChatMessage("user", "Well?")],
    schema={"type": "object"},
    lane="batch",
    key=b"k" * 16,
    mark="first",
    about=b"c" * 16,
    longest_wait_seconds=float("inf"),
)
POLL = 20.0


class Oracle:
    """A model that answers at once."""

    name = "openai:m"
    context_tokens = 1000
    closed = False

    def __init__(self) -> None:
        self.asked: list[ChatRequest] = []

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        self.asked.append(request)
        return ANSWER

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def oracle() -> Oracle:
    return Oracle()


@pytest.fixture
def model(oracle: Oracle, work: BatchWork) -> ChatModel:
    return in_front_of(oracle, work)


def in_front_of(oracle: Oracle, work: Any) -> ChatModel:
    return batched_model(cast("ChatModel", oracle), cast("BatchWork", work), poll_seconds=POLL)


async def pause_of(model: ChatModel, request: ChatRequest = QUESTION) -> float:
    with pytest.raises(AnswerPending) as pending:
        await model.ask(request)
    return pending.value.retry_after_seconds


async def bundled(work: BatchWork) -> list[tuple[bytes, bytes]]:
    assert await work.bundle("openai:m", "d", "b1", most_questions=1000, most_bytes=10**6)
    return list(await work.questions_of("b1"))


@pytest.mark.parametrize("change", [{"lane": "now"}, {"key": None}])
async def test_what_may_not_wait_or_has_no_key_is_asked_at_once(
    model: ChatModel, oracle: Oracle, work: BatchWork, change: dict[str, Any]
) -> None:
    answer = await model.ask(msgspec.structs.replace(QUESTION, **change))

    assert (answer, len(oracle.asked)) == (ANSWER, 1)
    assert list(await work.waiting()) == []


async def test_what_may_wait_is_kept_once_however_often_it_is_asked(
    model: ChatModel, oracle: Oracle, work: BatchWork
) -> None:
    for _ in range(3):
        await pause_of(model)

    assert oracle.asked == []
    assert [(one.pool, one.questions) for one in await work.waiting()] == [("openai:m", 1)]


async def test_the_answer_is_there_for_the_next_process_with_the_mark_of_who_asked_first(
    model: ChatModel, new_work: Callable[[], BatchWork], oracle: Oracle, work: BatchWork
) -> None:
    await pause_of(model)
    ((key, _),) = await bundled(work)
    await work.settle("b1", {key: msgspec.json.encode(ANSWER)}, [], most_failures=1)
    other = in_front_of(oracle, new_work())

    answers = [await other.ask(msgspec.structs.replace(QUESTION, mark=mark)) for mark in ("second", "third")]

    assert answers == [msgspec.structs.replace(ANSWER, mark="first")] * 2
    assert oracle.asked == []


async def test_what_is_kept_can_be_asked_by_anyone(model: ChatModel, work: BatchWork) -> None:
    await pause_of(model)

    ((_, written),) = await bundled(work)

    kept = msgspec.json.decode(written, type=ChatRequest)
    assert (list(kept.messages), kept.schema, kept.about) == (QUESTION.messages, QUESTION.schema, QUESTION.about)
    assert (kept.lane, kept.key, kept.mark) == ("now", None, "")


async def test_who_asks_is_told_to_come_again_the_later_the_longer_it_takes(model: ChatModel, later: Later) -> None:
    pauses: list[float] = []
    for seconds in (0, 60, 800, 10_000):
        later.seconds = seconds
        pauses.append(await pause_of(model))

    assert pauses == [POLL, POLL, 100, LONGEST_PAUSE_SECONDS]


async def test_no_question_waits_for_ever(model: ChatModel, later: Later) -> None:
    await pause_of(model)
    later.seconds = LONGEST_SECONDS

    assert await model.ask(QUESTION) == ANSWER


async def test_what_batches_could_not_answer_is_asked_at_once(
    model: ChatModel, oracle: Oracle, work: BatchWork
) -> None:
    await pause_of(model)
    await bundled(work)
    await work.end("b1", "direct", None, most_failures=1)

    answer = await model.ask(QUESTION)

    assert (answer.text, answer.mark, oracle.asked) == ("so be it", None, [QUESTION])


async def test_an_answer_that_cannot_be_read_is_asked_for_at_once(model: ChatModel, work: BatchWork) -> None:
    await pause_of(model)
    ((key, _),) = await bundled(work)
    await work.settle("b1", {key: b"[]"}, [], most_failures=1)

    assert await model.ask(QUESTION) == ANSWER


async def test_the_same_question_to_another_model_is_another(work: BatchWork, oracle: Oracle) -> None:
    await pause_of(in_front_of(oracle, work))
    oracle.name = "openai:other"
    await pause_of(in_front_of(oracle, work))

    assert [one.pool for one in await work.waiting()] == ["openai:m", "openai:other"]


class Counting:
    """Batch work that counts how often it is asked, and fails as it is told to."""

    def __init__(self, work: BatchWork) -> None:
        self.work = work
        self.looks = 0
        self.error: Exception | None = None

    async def ask(self, questions: Sequence[Asked]) -> Sequence[Standing]:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return await self.work.ask(questions)


async def test_what_is_asked_at_the_same_time_is_looked_up_together(work: BatchWork, oracle: Oracle) -> None:
    counting = Counting(work)
    model = in_front_of(oracle, counting)
    requests = [msgspec.structs.replace(QUESTION, key=b"%16d" % number) for number in range(128)]

    found = await asyncio.gather(*map(model.ask, requests), return_exceptions=True)

    assert {type(one) for one in found} == {AnswerPending}
    assert counting.looks == 1
    assert [one.questions for one in await work.waiting()] == [128]


async def test_while_the_store_is_down_questions_are_held_back_and_nothing_is_paid(
    work: BatchWork, oracle: Oracle
) -> None:
    counting = Counting(work)
    counting.error = BackendError("down")
    model = in_front_of(oracle, counting)

    with pytest.raises(ModelBusy, match="down") as held:
        await model.ask(QUESTION)
    counting.error = None
    await pause_of(model)

    assert not isinstance(held.value, AnswerPending)
    assert held.value.retry_after_seconds == POLL
    assert oracle.asked == []


async def test_a_crash_in_a_look_up_reaches_all_who_wait_for_it(work: BatchWork, oracle: Oracle) -> None:
    counting = Counting(work)
    counting.error = ValueError("ours")
    model = in_front_of(oracle, counting)

    found = await asyncio.gather(*(model.ask(QUESTION) for _ in range(3)), return_exceptions=True)

    assert [type(one) for one in found] == [ValueError] * 3


async def test_the_rest_of_the_model_is_as_before(model: ChatModel, oracle: Oracle) -> None:
    assert (model.name, model.context_tokens) == ("openai:m", 1000)

    await model.close()

    assert oracle.closed
