"""Are probabilities of tokens read where they are given, and is no answer lost where they are not, or are odd?"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from healing_eval.backends.chat_model.anthropic import AnthropicChat
from healing_eval.backends.chat_model.logprobs import MAX_ALTERNATIVES, MAX_TOKENS, decode_with_nan, read_logprobs
from healing_eval.backends.chat_model.ollama import OllamaChat
from healing_eval.backends.chat_model.openai import OpenAIChat
from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatModel, ChatRequest, TokenLogprob
from healing_eval.testing.fake_model import FakeModel

REQUEST = ChatRequest(messages=[ChatMessage("user", "Hello")], timeout_seconds=5, logprobs=True)
PLAIN = msgspec.structs.replace(REQUEST, logprobs=False)


def model_at(fake: FakeModel, provider: str) -> ChatModel:
    if provider == "openai":
        return OpenAIChat.create("m", {"OPENAI_BASE_URL": fake.base_url})
    if provider == "ollama":
        return OllamaChat.create("m", {"OLLAMA_BASE_URL": fake.address})
    return AnthropicChat.create("m", {"ANTHROPIC_BASE_URL": fake.address, "ANTHROPIC_API_KEY": "k"})


async def asked(fake: FakeModel, provider: str, *requests: ChatRequest) -> ChatAnswer:
    model = model_at(fake, provider)
    try:
        return [await model.ask(request) for request in requests][-1]
    finally:
        await model.close()


@pytest.mark.parametrize("provider", ["openai", "ollama"])
async def test_each_token_comes_with_its_probability_and_alternatives(provider: str) -> None:
    async with FakeModel() as fake:
        answer = await asked(fake, provider, REQUEST)

    given = answer.token_logprobs or ()
    assert "".join(one.token for one in given) == answer.text
    assert all(one.alternatives[0] == (one.token, one.logprob) for one in given)
    assert (fake.payloads[0]["logprobs"], fake.payloads[0]["top_logprobs"]) == (True, 5)


@pytest.mark.parametrize("provider", ["openai", "ollama", "anthropic"])
async def test_who_does_not_ask_for_them_gets_none(provider: str) -> None:
    async with FakeModel() as fake:
        answer = await asked(fake, provider, PLAIN)

    assert answer.token_logprobs is None
    assert not {"logprobs", "top_logprobs"} & set(fake.payloads[0])


async def test_a_server_that_refuses_them_is_asked_for_them_once() -> None:
    async with FakeModel(mode="no_logprobs") as fake:
        answer = await asked(fake, "openai", REQUEST, REQUEST)

    assert answer.text
    assert answer.token_logprobs is None
    assert ["logprobs" in payload for payload in fake.payloads] == [True, False, False]


async def test_an_older_ollama_that_overlooks_the_wish_still_answers() -> None:
    async with FakeModel(mode="no_logprobs") as fake:
        answer = await asked(fake, "ollama", REQUEST)

    assert answer.text
    assert answer.token_logprobs is None


async def test_anthropic_is_not_asked_for_what_it_does_not_have() -> None:
    async with FakeModel() as fake:
        answer = await asked(fake, "anthropic", REQUEST)

    assert answer.token_logprobs is None
    assert "logprobs" not in fake.payloads[0]


@pytest.mark.parametrize("provider", ["openai", "ollama"])
async def test_an_answer_is_not_lost_for_a_probability_that_is_no_json(provider: str) -> None:
    async with FakeModel(mode="odd_logprobs") as fake:
        answer = await asked(fake, provider, REQUEST)

    assert answer.text
    assert answer.token_logprobs is None


def entry(token: Any = "a", logprob: Any = -1.0, **other: Any) -> dict[str, Any]:
    return {"token": token, "logprob": logprob} | other


def read(listed: Any) -> tuple[TokenLogprob, ...] | None:
    return read_logprobs(msgspec.Raw(msgspec.json.encode(listed)))


@pytest.mark.parametrize(
    "listed",
    [
        None,
        "logprobs",
        {"content": []},
        [],
        [None],
        ["a"],
        [entry(), {"token": "a"}],
        [entry(token=7)],
        [entry(token=None)],
        [entry(logprob="-0.1")],
        [entry(logprob=True)],
        [entry(logprob=None)],
        [entry(logprob=0.5)],
        [entry(), entry(logprob=10**18)],
        [entry(top_logprobs="b"), entry(logprob=0.5)],
    ],
)
def test_a_list_that_cannot_be_believed_is_none(listed: Any) -> None:
    assert read(listed) is None


@pytest.mark.parametrize(
    "listed", [b"", b"[", b"[1e999]", b'[{"token": "\\ud83d", "logprob": -1}]', b'[{"token": "\xff"}]']
)
def test_what_is_no_json_is_none(listed: bytes) -> None:
    assert read_logprobs(msgspec.Raw(listed)) is None


@pytest.mark.parametrize(
    ("given", "known"), [(-9999.0, -9999.0), (-(10**18), -9999.0), (-1e300, -9999.0), (1e-7, 0.0), (0, 0.0)]
)
def test_next_to_nothing_and_rounded_certainty_are_bounded(given: float, known: float) -> None:
    listed = [entry(logprob=given, top_logprobs=[entry("b", given)])]

    assert read(listed) == (TokenLogprob("a", known, (("b", known),)),)
    assert read([*listed, entry(top_logprobs="odd")]) == (*(read(listed) or ()), TokenLogprob("a", -1.0))


def test_an_alternative_that_is_none_is_left_out() -> None:
    top = [entry("b", -2), entry("c", "likely"), None, entry(4), entry("d", None), entry("e", -3.5), entry("f", 2.0)]

    assert read([entry(top_logprobs=top)]) == (TokenLogprob("a", -1.0, (("b", -2.0), ("e", -3.5))),)
    assert read([entry(top_logprobs=[entry("b", 2.0)])]) == (TokenLogprob("a", -1.0),)


@pytest.mark.parametrize("odd", [[], ["odd"]])
def test_long_lists_are_cut(odd: list[Any]) -> None:
    listed = [entry(top_logprobs=[*odd, *(entry(str(n)) for n in range(99))])] * 4999

    found = read(listed) or ()

    assert len(found) == MAX_TOKENS
    assert {len(one.alternatives) for one in found} == {MAX_ALTERNATIVES - len(odd)}


@pytest.mark.parametrize("logprobs", [[], "odd", 7, {"content": None}, {}, {"content": [1]}])
async def test_an_answer_is_not_lost_for_logprobs_of_another_shape(logprobs: Any) -> None:
    document = {"choices": [{"message": {"content": "Hi"}, "logprobs": logprobs}]}

    answer = OpenAIChat.create("m", {"OPENAI_API_KEY": "k"})._read(json.dumps(document).encode(), 1)

    assert (answer.text, answer.token_logprobs) == ("Hi", None)


class Document(msgspec.Struct):
    value: Any


decoder = msgspec.json.Decoder(Document)


def test_numbers_that_are_no_json_are_null() -> None:
    assert decode_with_nan(decoder, b'{"value": [NaN, -Infinity, Infinity, -1]}').value == [None, None, None, -1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b'{"other": NaN}',
        b"null",
        b'{"value": "\xff"}',
        b"[" * 100_000,
        b"[NaN, 1" + b"0" * 99 + b"]",
    ],
)
def test_what_is_no_document_is_refused_as_ever(body: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_with_nan(decoder, body)
