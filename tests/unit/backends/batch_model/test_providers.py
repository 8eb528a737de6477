"""Do the clients speak the batch APIs of OpenAI and Anthropic, to servers as strict as the real ones?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from healing_eval.backends.batch_model.anthropic import CLOCKS_DIFFER, AnthropicBatches
from healing_eval.backends.batch_model.openai import OpenAIBatches
from healing_eval.backends.chat_model.over_http import MAX_ANSWER_BYTES
from healing_eval.errors import (
    ConfigError,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    NotAdmitted,
    UnreadableVerdict,
)
from healing_eval.ports.batch_model import BatchModel, BatchQuestion, Sought, Trace
from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatRequest
from healing_eval.testing.fake_batches import HUGE_LINE
from healing_eval.testing.fake_model import FakeModel

KEY = "sk-geheim"
NOW = datetime(2031, 1, 1, tzinfo=UTC)
PROVIDERS: dict[str, Any] = {"openai": OpenAIBatches, "anthropic": AnthropicBatches}


@pytest.fixture(params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def fake() -> AsyncGenerator[FakeModel]:
    async with FakeModel() as fake:
        fake.batches.clock = lambda: NOW
        yield fake


@pytest.fixture
async def model(provider: str, fake: FakeModel) -> AsyncGenerator[BatchModel]:
    model = made(provider, fake)
    yield model
    await model.close()


def made(provider: str, fake: FakeModel, key: str = KEY) -> BatchModel:
    addresses = {"OPENAI_BASE_URL": fake.base_url, "ANTHROPIC_BASE_URL": fake.address}
    keys = {"OPENAI_API_KEY": key, "ANTHROPIC_API_KEY": key} if key else {}
    return PROVIDERS[provider].create("m", addresses | keys)


def question(name: str, text: str = "Hello", **parts: Any) -> BatchQuestion:
    messages = [ChatMessage("system", "Grade."), ChatMessage("user", text)]
    return BatchQuestion(name, ChatRequest(messages=messages, **parts))


async def answered(model: BatchModel, batch_id: str) -> dict[str, list[ChatAnswer | ModelError]]:
    results: dict[str, list[ChatAnswer | ModelError]] = {}
    async for one in model.answers(batch_id):
        results.setdefault(one.name, []).append(one.result)
    return results


async def through(model: BatchModel, *questions: BatchQuestion) -> dict[str, list[ChatAnswer | ModelError]]:
    """Hand in a batch, look at it once, and give what came of it."""
    batch_id = await model.submit("label", questions)
    state = await model.state(batch_id)
    assert (state.ended, state.reason) == (True, None)
    return await answered(model, batch_id)


async def test_each_question_gets_its_answer(model: BatchModel) -> None:
    results = await through(model, question("a"), question("b", "Hello, " * 100))

    (a,), (b,) = results["a"], results["b"]
    assert isinstance(a, ChatAnswer)
    assert isinstance(b, ChatAnswer)
    assert "no conversation in the prompt" in a.text
    assert (a.model, a.requests, a.seconds) == ("fake-1", 1, None)
    assert (b.input_tokens or 0) > (a.input_tokens or 0) > 0


async def test_the_questions_are_written_as_they_are_when_asked_one_by_one(
    provider: str, model: BatchModel, fake: FakeModel
) -> None:
    one = question("a", schema={"type": "object"}, schema_name="verdict", max_output_tokens=77, logprobs=True)
    batch_id = await model.submit("label", [one])

    body = fake.batches.jobs[batch_id].questions["a"]
    assert (body["model"], body["max_tokens"]) == ("m", 77)
    if provider == "openai":
        assert body["response_format"]["json_schema"]["name"] == "verdict"
        assert body["logprobs"] is True
    else:
        assert body["tool_choice"] == {"type": "tool", "name": "verdict"}
        assert body["system"][-1]["cache_control"] == {"type": "ephemeral"}


async def test_a_batch_that_is_worked_on_has_not_ended(model: BatchModel, fake: FakeModel) -> None:
    fake.batches.held = True
    batch_id = await model.submit("label", [question("a")])
    before = await model.state(batch_id)
    fake.batches.held = False

    assert not before.ended
    assert (await model.state(batch_id)).ended


async def test_what_failed_by_itself_says_why_without_our_key(model: BatchModel, fake: FakeModel) -> None:
    fake.mode = "as_told"
    faults = {"good": "", "broken": "fault:500", "refused": f"fault:400 {KEY}", "odd": "fault:not_chat"}

    results = await through(model, *(question(name, text) for name, text in faults.items()))

    kinds = {name: type(some[0]) for name, some in results.items()}
    assert kinds == {
        "good": ChatAnswer,
        "broken": ModelUnavailable,
        "refused": ModelRefused,
        "odd": UnreadableVerdict,
    }
    assert "geheim" not in " ".join(str(some[0]) for some in results.values())


@pytest.mark.parametrize(("fate", "left"), [("expired", ["a", "b", "c", "d"]), ("partial", ["b", "d"])])
async def test_what_the_time_did_not_suffice_for_is_told(
    model: BatchModel, fake: FakeModel, fate: str, left: list[str]
) -> None:
    fake.batches.fate = fate

    results = await through(model, *map(question, "abcd"))

    failed = {name: one for name, (one,) in results.items() if isinstance(one, ModelError)}
    assert sorted(failed) == left
    assert all(isinstance(one, ModelUnavailable) and one.retryable for one in failed.values())


async def test_a_cancelled_batch_ends_and_says_so_of_each_question(model: BatchModel, fake: FakeModel) -> None:
    fake.batches.held = True
    batch_id = await model.submit("label", [question("a"), question("b")])

    await model.cancel(batch_id)

    assert (await model.state(batch_id)).ended
    results = await answered(model, batch_id)
    assert [isinstance(one, ModelUnavailable) for some in results.values() for one in some] == [True, True]


async def test_answers_that_lie_or_are_garbage_or_huge_spoil_no_others(model: BatchModel, fake: FakeModel) -> None:
    fake.batches.fate = "hostile"

    results = await through(model, question("a"), question("b"))

    assert HUGE_LINE > MAX_ANSWER_BYTES
    assert [isinstance(one, ChatAnswer) for name in "ab" for one in results[name]] == [True] * 4
    assert not any(isinstance(one, ChatAnswer) for one in results.get("x", []))


async def test_a_form_that_was_refused_is_simpler_the_next_time(
    provider: str, model: BatchModel, fake: FakeModel
) -> None:
    fake.mode = "no_json_schema" if provider == "openai" else "no_forced_tool"
    one = question("a", schema={"type": "object"})

    (first,) = (await through(model, one))["a"]
    (second,) = (await through(model, one))["a"]

    assert isinstance(first, ModelRefused)
    assert isinstance(second, ChatAnswer)


async def test_a_wrong_key_is_told_from_an_outage_and_from_a_batch_nobody_knows(
    provider: str, fake: FakeModel, model: BatchModel
) -> None:
    without = made(provider, fake, key="")
    with pytest.raises(NotAdmitted) as no_key:
        await without.submit("label", [question("a")])
    await without.close()
    with pytest.raises(NotAdmitted) as unknown:
        await model.state("unknown")
    fake.batches.status = 503
    with pytest.raises(ModelUnavailable):
        await model.submit("label", [question("a")])

    assert (no_key.value.status, unknown.value.status) == (401, 404)


async def test_a_server_that_is_not_there_is_an_outage(provider: str, fake: FakeModel) -> None:
    gone = FakeModel()
    async with gone:
        pass
    model = made(provider, gone)

    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await model.submit("label", [question("a")])

    await model.close()


async def test_who_is_told_when_to_come_again_tells_it(model: BatchModel, fake: FakeModel) -> None:
    fake.batches.status, fake.retry_after = 429, "17"

    with pytest.raises(ModelUnavailable) as throttled:
        await model.state("unknown")

    assert throttled.value.retry_after_seconds == 17


async def test_nothing_is_called_by_an_id_that_leads_elsewhere(model: BatchModel) -> None:
    for name in ("../files", "a/b", "", "x?y", "a\n"):
        with pytest.raises(UnreadableVerdict, match="an id that is none"):
            await model.state(name)


def sought(label: str, *names: str, **parts: Any) -> Sought:
    whole = Sought(label, frozenset(names), questions=len(names), made_at=NOW)
    return msgspec.structs.replace(whole, **parts)


async def test_a_batch_of_which_nothing_was_heard_is_found_among_many(model: BatchModel, fake: FakeModel) -> None:
    for number in range(130):  # more than a page
        await model.submit(f"label-{number}", [question(f"a-{number}")])
    fake.batches.deaf = True

    with pytest.raises(ModelUnavailable):
        await model.submit("unheard", [question("unheard")])

    first, *_, last = fake.batches.jobs
    looked_for = (sought("unheard", "unheard"), sought("label-0", "a-0"), sought("never", "never"))
    assert [await model.find(one) for one in looked_for] == [Trace(last), Trace(first), Trace()]


async def test_a_batch_without_a_label_is_found_once_it_has_ended(fake: FakeModel) -> None:
    model, fake.batches.held = made("anthropic", fake), True
    batch_id = await model.submit("label", [question("a"), question("b")])

    at_work = await model.find(sought("label", "a", "b"))
    fake.batches.held = False
    ended = await model.find(sought("label", "a", "b"))

    await model.close()
    assert (at_work, ended) == (Trace(may_turn_up=True), Trace(batch_id))


@pytest.mark.parametrize(
    ("parts", "may_be_it"),
    [
        ({}, True),
        ({"questions": 5}, True),
        ({"names": frozenset({"a"}), "questions": 2}, True),  # the other question was deleted
        ({"names": frozenset({"a"}), "questions": 1}, False),
        ({"names": frozenset("abc"), "questions": 3}, False),
        ({"names": frozenset[str]()}, False),
        ({"others": frozenset({"msgbatch_000001"})}, False),
        ({"made_at": NOW + CLOCKS_DIFFER}, True),
        ({"made_at": NOW + CLOCKS_DIFFER + timedelta(seconds=1)}, False),
    ],
)
async def test_only_batches_as_large_and_as_old_may_be_the_one(
    fake: FakeModel, parts: dict[str, Any], may_be_it: bool
) -> None:
    model, fake.batches.held = made("anthropic", fake), True
    await model.submit("label", [question("a"), question("b")])

    trace = await model.find(sought("label", "a", "b", **parts))

    await model.close()
    assert trace == Trace(may_turn_up=may_be_it)


async def test_one_whose_answers_are_gone_is_not_found(fake: FakeModel) -> None:
    model, fake.batches.fate = made("anthropic", fake), "gone"
    await model.submit("label", [question("a")])

    trace = await model.find(sought("label", "a"))

    await model.close()
    assert trace == Trace()


@pytest.mark.parametrize("status", [404, 405])
async def test_where_no_batches_are_listed_none_is_found(fake: FakeModel, status: int) -> None:
    model, fake.batches.status = made("anthropic", fake), status

    trace = await model.find(sought("label", "a"))

    await model.close()
    assert trace == Trace()


async def test_a_key_that_is_not_taken_is_no_sign_that_there_is_no_batch(model: BatchModel, fake: FakeModel) -> None:
    fake.batches.status = 401

    with pytest.raises(NotAdmitted):
        await model.find(sought("label", "a"))


async def test_what_was_handed_in_and_answered_is_forgotten_there(model: BatchModel, fake: FakeModel) -> None:
    batch_id = await model.submit("label", [question("a", "secret")])
    await model.state(batch_id)

    await model.discard(batch_id)

    jobs = [job.questions for job in fake.batches.jobs.values() if job.path != "/v1/chat/completions"]
    assert (fake.batches.files, jobs) == ({}, [])


async def test_a_file_of_a_batch_that_is_refused_does_not_stay(fake: FakeModel) -> None:
    model = made("openai", fake)
    fake.batches.refuses_batches = True

    with pytest.raises(ModelRefused):
        await model.submit("label", [question("a")])

    await model.close()
    assert fake.batches.files == {}


async def test_openai_says_why_it_takes_no_batch_at_all(fake: FakeModel) -> None:
    model = made("openai", fake)
    states: list[tuple[bool, str | None, bool]] = []
    for fate in ("failed", "too_much"):
        fake.batches.fate = fate
        state = await model.state(await model.submit("label", [question("a")]))
        states.append((state.ended, state.reason, state.too_much))
    twice = await model.state(await model.submit("label", [question("a"), question("a")]))
    await model.close()

    assert states == [
        (True, "this batch is not to our liking", False),
        (True, "Enqueued token limit reached", True),
    ]
    assert twice.reason is not None


async def test_many_can_hand_in_at_once(model: BatchModel) -> None:
    ids = await asyncio.gather(*(model.submit(f"label-{number}", [question("a")]) for number in range(20)))

    assert len(set(ids)) == 20


@pytest.mark.parametrize(("provider", "variable"), [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")])
def test_a_missing_key_is_named(provider: str, variable: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        PROVIDERS[provider].create("m", {})
