"""Does the client speak Anthropic's messages API, to a server as strict as the real one?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from healing_eval.backends.chat_model.anthropic import AnthropicChat
from healing_eval.backends.chat_model.over_http import MAX_ANSWER_BYTES
from healing_eval.domain.evaluation import Findings
from healing_eval.errors import ConfigError, ModelRefused, ModelUnavailable, UnreadableVerdict
from healing_eval.evaluators.judge.evaluator import Judge
from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatModel, ChatRequest
from healing_eval.ports.evaluator import EvaluatorSetup
from healing_eval.testing.builders import a_conversation
from healing_eval.testing.fake_model import FakeModel

KEY = "sk-ant-geheim"
REQUEST = ChatRequest(
    messages=[ChatMessage("system", "Grade."), ChatMessage("user", "Hello")],
    schema={"type": "object"},
    schema_name="verdict",
    timeout_seconds=5,
)


async def asked(fake: FakeModel, *, times: int = 1, request: ChatRequest = REQUEST) -> ChatAnswer:
    model = AnthropicChat.create("m", {"ANTHROPIC_BASE_URL": fake.address, "ANTHROPIC_API_KEY": KEY})
    try:
        answers = [await model.ask(request) for _ in range(times)]
    finally:
        await model.close()
    return answers[-1]


async def answer_of(mode: str) -> ChatAnswer:
    async with FakeModel(mode=mode) as fake:
        return await asked(fake)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY is not set"):
        AnthropicChat.create("claude-sonnet-4-5", {})


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY") as refused:
        AnthropicChat.create("m", {"ANTHROPIC_API_KEY": "sk-geheim\n"})

    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("address", ["ftp://host", "host:80", "http://"])
def test_a_base_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="ANTHROPIC_BASE_URL"):
        AnthropicChat.create("m", {"ANTHROPIC_BASE_URL": address})


def test_another_server_needs_no_key() -> None:
    model: ChatModel = AnthropicChat.create("m", {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"})

    assert (model.name, model.base_url, model.context_tokens) == ("anthropic:m", "http://127.0.0.1:9", 200_000)


async def test_the_answer_is_what_the_forced_tool_was_given() -> None:
    async with FakeModel() as fake:
        answer = await asked(fake)

    (payload,) = fake.payloads
    assert payload["tool_choice"] == {"type": "tool", "name": "verdict"}
    assert payload["tools"][0]["input_schema"] == {"type": "object"}
    assert isinstance(json.loads(answer.text), dict)
    assert (answer.model, answer.finish_reason, answer.requests) == ("fake-1", "tool_use", 1)


async def test_what_is_the_same_for_all_is_kept_in_the_servers_cache() -> None:
    async with FakeModel() as fake:
        await asked(fake)

    (payload,) = fake.payloads
    assert payload["system"] == [{"type": "text", "text": "Grade.", "cache_control": {"type": "ephemeral"}}]
    assert payload["messages"] == [{"role": "user", "content": "Hello"}]


async def test_free_text_is_asked_for_without_a_tool() -> None:
    plain = ChatRequest(messages=[ChatMessage("user", "Hello")])
    async with FakeModel() as fake:
        answer = await asked(fake, request=plain)

    (payload,) = fake.payloads
    assert not {"tools", "tool_choice", "system"} & set(payload)
    assert answer.text


@pytest.mark.parametrize(
    ("mode", "name", "forms"),
    [("no_forced_tool", "tool_choice", [True, False, False]), ("no_temperature", "temperature", [True, False, False])],
)
async def test_what_the_server_refuses_is_learned_once(mode: str, name: str, forms: list[bool]) -> None:
    async with FakeModel(mode=mode) as fake:
        answer = await asked(fake, times=2)

    assert [name in payload for payload in fake.payloads] == forms
    assert answer.requests == 1
    assert fake.connections == 1


async def test_the_base_address_may_end_with_the_version() -> None:
    async with FakeModel() as fake:
        model = AnthropicChat.create("m", {"ANTHROPIC_BASE_URL": f"{fake.address}/v1/", "ANTHROPIC_API_KEY": KEY})
        assert (await model.ask(REQUEST)).text
        await model.close()


async def test_a_text_that_comes_in_parts_is_joined() -> None:
    assert json.loads((await answer_of("parts")).text) == json.loads((await answer_of("ok")).text)


async def test_tokens_from_and_for_a_cache_are_part_of_the_input() -> None:
    answer, plain = await answer_of("cached"), await answer_of("ok")

    assert plain.input_tokens is not None
    assert answer.input_tokens == plain.input_tokens
    assert (answer.cached_input_tokens, answer.cache_written_tokens) == (
        plain.input_tokens // 2,
        plain.input_tokens // 4,
    )
    assert (plain.cached_input_tokens, plain.cache_written_tokens) == (None, None)


async def test_tokens_that_were_not_counted_are_unknown() -> None:
    answer = await answer_of("odd_usage")

    assert (answer.input_tokens, answer.output_tokens, answer.cached_input_tokens) == (None, None, None)


@pytest.mark.parametrize(("mode", "error"), [("refuses", ModelRefused), ("not_chat", UnreadableVerdict)])
async def test_an_answer_that_is_none_says_why(mode: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await answer_of(mode)


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(UnreadableVerdict, match=str(MAX_ANSWER_BYTES)):
        await answer_of("huge")


async def test_an_overloaded_server_is_unavailable() -> None:
    async with FakeModel(mode="529") as fake:
        with pytest.raises(ModelUnavailable, match="529") as failed:
            await asked(fake)

    assert failed.value.requests == fake.requests == 1


async def test_how_long_a_throttling_server_wants_to_be_left_alone_is_told() -> None:
    async with FakeModel(mode="429") as fake:
        fake.retry_after = "30"
        with pytest.raises(ModelUnavailable, match="429") as failed:
            await asked(fake)

    assert failed.value.retry_after_seconds == 30
    assert fake.requests == 1


async def test_a_missing_key_is_told_in_the_servers_words() -> None:
    async with FakeModel() as fake:
        model = AnthropicChat.create("m", {"ANTHROPIC_BASE_URL": fake.address})
        with pytest.raises(ModelRefused, match="401: x-api-key header is required"):
            await model.ask(REQUEST)
        await model.close()


async def test_the_judge_judges_with_it() -> None:
    async with FakeModel() as fake:
        model: Any = AnthropicChat.create("m", {"ANTHROPIC_BASE_URL": fake.address, "ANTHROPIC_API_KEY": KEY})
        (evaluation,) = [one async for one in Judge.create(EvaluatorSetup({}, model)).evaluate([a_conversation()])]
        await model.close()

    assert isinstance(evaluation.result, Findings), evaluation.result
    assert evaluation.model_use is not None
    assert evaluation.model_use.model == "fake-1"
