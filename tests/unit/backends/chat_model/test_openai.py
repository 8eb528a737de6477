from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from healing_eval.backends.chat_model import over_http
from healing_eval.backends.chat_model.openai import OpenAIChat, context_of
from healing_eval.backends.chat_model.over_http import MAX_ANSWER_BYTES, retry_after
from healing_eval.errors import ConfigError, ModelRefused, ModelUnavailable, UnreadableVerdict
from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatModel, ChatRequest
from healing_eval.testing.fake_model import FakeModel

REQUEST = ChatRequest(messages=[ChatMessage("user", "Hello")], schema={"type": "object"}, timeout_seconds=5)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        OpenAIChat.create("gpt-4o", {})


def test_a_local_server_needs_no_key() -> None:
    model: ChatModel = OpenAIChat.create("llama", {"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"})

    assert model.name == "openai:llama"
    assert model.base_url == "http://127.0.0.1:11434/v1"
    assert model.context_tokens == 128_000


@pytest.mark.parametrize(("model", "tokens"), [("gpt-4", 8_192), ("gpt-4o-mini", 128_000), ("unknown", 128_000)])
def test_the_longest_known_family_gives_the_context(model: str, tokens: int) -> None:
    assert context_of(model) == tokens


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("Thu, 01 Jan 1970 00:01:00 GMT", 50.0), ("soon", None), ("", None)]
)
def test_retry_after_is_read_as_seconds_or_date(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}, now=10.0) == seconds


def test_a_date_to_wait_for_is_by_the_clock_of_the_server_that_names_it() -> None:
    told = {"Retry-After": "Thu, 01 Jan 1970 01:01:00 GMT", "Date": "Thu, 01 Jan 1970 01:00:00 GMT"}

    assert [retry_after(told, now=ours) for ours in (0.0, 7200.0)] == [60.0, 60.0]


async def test_what_the_server_refuses_is_learned_once() -> None:
    async with FakeModel(mode="no_response_format") as fake:
        model = OpenAIChat.create("m", {"OPENAI_BASE_URL": fake.base_url})
        await model.ask(REQUEST)
        await model.ask(REQUEST)
        await model.close()

    asked = [payload.get("response_format", {}).get("type") for payload in fake.payloads]
    assert asked == ["json_schema", "json_object", None, None]
    assert fake.connections == 1


async def test_how_long_a_throttling_server_wants_to_be_left_alone_is_told() -> None:
    async with FakeModel(mode="429") as fake:
        fake.retry_after = "30"
        model = OpenAIChat.create("m", {"OPENAI_BASE_URL": fake.base_url})
        with pytest.raises(ModelUnavailable, match="429") as failed:
            await model.ask(REQUEST)
        await model.close()

    assert failed.value.retry_after_seconds == 30
    assert fake.requests == 1


async def test_a_server_that_hangs_is_given_up_in_time() -> None:
    async with FakeModel(mode="hang") as fake:
        model = OpenAIChat.create("m", {"OPENAI_BASE_URL": fake.base_url})
        with pytest.raises(ModelUnavailable, match=r"no answer within 0\.1 s") as failed:
            await model.ask(msgspec.structs.replace(REQUEST, timeout_seconds=0.1))
        await model.close()

    assert failed.value.timed_out


def test_whoever_prints_an_endpoint_shows_no_key() -> None:
    endpoint = over_http.Endpoint("https://host/v1", "OPENAI_BASE_URL", "secret", {"Authorization": "Bearer secret"})

    assert "secret" not in f"{endpoint!r} {endpoint}"


async def test_a_refusal_says_why_and_never_the_key() -> None:
    async with FakeModel(mode="401") as fake:
        model = OpenAIChat.create("m", {"OPENAI_BASE_URL": fake.base_url, "OPENAI_API_KEY": "fault"})
        with pytest.raises(ModelRefused, match=r"401: \*\*\* 401"):
            await model.ask(REQUEST)
        await model.close()


async def test_what_is_no_chat_completion_is_unreadable() -> None:
    async with FakeModel(mode="not_chat") as fake:
        model = OpenAIChat.create("m", {"OPENAI_BASE_URL": fake.base_url})
        with pytest.raises(UnreadableVerdict):
            await model.ask(REQUEST)
        await model.close()


async def test_nobody_listening_is_unavailable() -> None:
    async with FakeModel() as fake:
        address = fake.base_url
    model = OpenAIChat.create("m", {"OPENAI_BASE_URL": address})

    with pytest.raises(ModelUnavailable):
        await model.ask(REQUEST)
    await model.close()


async def answer_of(mode: str) -> ChatAnswer:
    async with FakeModel(mode=mode) as fake:
        model = OpenAIChat.create("m", {"OPENAI_BASE_URL": fake.base_url})
        try:
            return await model.ask(REQUEST)
        finally:
            await model.close()


async def test_a_text_that_comes_in_parts_is_joined() -> None:
    whole = await answer_of("ok")

    assert (await answer_of("parts")).text == whole.text


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(UnreadableVerdict, match=str(MAX_ANSWER_BYTES)) as refused:
        await answer_of("huge")

    assert len(refused.value.raw_answer) < 1000


async def test_tokens_that_were_not_counted_are_unknown() -> None:
    answer = await answer_of("odd_usage")

    assert (answer.input_tokens, answer.output_tokens) == (None, None)
    assert (answer.cached_input_tokens, answer.cache_written_tokens) == (None, None)
    assert answer.text


async def test_tokens_from_and_for_a_cache_are_told_apart() -> None:
    answer, plain = await answer_of("cached"), await answer_of("ok")

    assert answer.input_tokens is not None
    half_and_quarter = answer.input_tokens // 2, answer.input_tokens // 4
    assert (answer.cached_input_tokens, answer.cache_written_tokens) == half_and_quarter
    assert (plain.cached_input_tokens, plain.cache_written_tokens) == (None, None)


class Endpoint:
    """Answers every request with one document."""

    def __init__(self, document: object) -> None:
        self._body = json.dumps(document).encode()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(self._body)}\r\n\r\n".encode()
        writer.write(head + self._body)
        await writer.drain()
        writer.close()


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"choices": []}, UnreadableVerdict),
        ({"choices": [{"message": {"content": None}}]}, UnreadableVerdict),
        ({"choices": [{"message": {"content": [{"type": "image"}]}}]}, UnreadableVerdict),
        ({"choices": [{"message": {"content": 5}}]}, UnreadableVerdict),
        ({"choices": [{"message": {"content": "x", "refusal": "no"}}]}, ModelRefused),
        ({"choices": [{"message": {"content": [{"type": "refusal", "refusal": "no"}]}}]}, ModelRefused),
        ({"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}, ModelRefused),
        ([], UnreadableVerdict),
        (None, UnreadableVerdict),
    ],
)
async def test_an_answer_without_a_text_is_told_apart_from_a_refusal(document: object, error: type[Exception]) -> None:
    async with Endpoint(document) as address:
        model = OpenAIChat.create("m", {"OPENAI_BASE_URL": address})
        with pytest.raises(error):
            await model.ask(REQUEST)
        await model.close()


@pytest.mark.parametrize("address", ["ftp://host/v1", "host:80", "http://"])
def test_a_base_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
        OpenAIChat.create("m", {"OPENAI_BASE_URL": address})


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as refused:
        OpenAIChat.create("m", {"OPENAI_API_KEY": "sk-geheim\n"})

    assert "geheim" not in str(refused.value)
