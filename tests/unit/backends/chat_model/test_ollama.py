"""Does the client speak Ollama's own language?"""

from __future__ import annotations

from typing import Any

import pytest

from healing_eval.backends.chat_model.ollama import OllamaChat
from healing_eval.domain.evaluation import Findings
from healing_eval.errors import ConfigError, ModelRefused, ModelUnavailable, UnreadableVerdict
from healing_eval.evaluators.judge.evaluator import Judge
from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatModel, ChatRequest
from healing_eval.ports.evaluator import EvaluatorSetup
from healing_eval.testing.builders import a_conversation
from healing_eval.testing.fake_model import FakeModel

SCHEMA = {"type": "object"}
REQUEST = ChatRequest(messages=[ChatMessage("user", "Hello")], schema=SCHEMA, timeout_seconds=5, max_output_tokens=99)


async def asked(fake: FakeModel, *, times: int = 1) -> ChatAnswer:
    model = OllamaChat.create("llama3.2", {"OLLAMA_BASE_URL": fake.address, "OLLAMA_CONTEXT_LENGTH": "8192"})
    try:
        answers = [await model.ask(REQUEST) for _ in range(times)]
    finally:
        await model.close()
    return answers[-1]


def test_without_settings_it_is_the_one_on_this_machine() -> None:
    model: ChatModel = OllamaChat.create("llama3.2", {})

    assert (model.name, model.base_url) == ("ollama:llama3.2", "http://127.0.0.1:11434")
    assert model.context_tokens == 16_384


@pytest.mark.parametrize(
    ("setting", "value"),
    [("OLLAMA_BASE_URL", "host:80"), ("OLLAMA_CONTEXT_LENGTH", "much"), ("OLLAMA_CONTEXT_LENGTH", "0")],
)
def test_a_setting_that_cannot_be_one_is_named(setting: str, value: str) -> None:
    with pytest.raises(ConfigError, match=setting):
        OllamaChat.create("m", {setting: value})


async def test_the_server_is_told_form_and_lengths() -> None:
    async with FakeModel() as fake:
        answer = await asked(fake)

    (payload,) = fake.payloads
    assert payload["format"] == SCHEMA
    assert payload["options"] == {"temperature": 0.0, "num_predict": 99, "num_ctx": 8192}
    assert (answer.model, answer.finish_reason, answer.input_tokens) == ("fake-1", "stop", 1)


@pytest.mark.parametrize(
    ("mode", "forms"),
    [("no_schema", [SCHEMA, "json", "json"]), ("no_format", [SCHEMA, "json", None, None])],
)
async def test_what_the_server_refuses_is_learned_once(mode: str, forms: list[object]) -> None:
    async with FakeModel(mode=mode) as fake:
        await asked(fake, times=2)

    assert [payload.get("format") for payload in fake.payloads] == forms


@pytest.mark.parametrize(
    ("mode", "error", "said"),
    [
        ("404", ModelRefused, "404: fault 404"),
        ("503", ModelUnavailable, "503"),
        ("not_chat", UnreadableVerdict, "no reply of a chat"),
    ],
)
async def test_an_answer_that_is_none_says_why(mode: str, error: type[Exception], said: str) -> None:
    async with FakeModel(mode=mode) as fake:
        with pytest.raises(error, match=said):
            await asked(fake)


async def test_tokens_that_were_not_counted_are_unknown() -> None:
    async with FakeModel(mode="odd_usage") as fake:
        answer = await asked(fake)

    assert (answer.input_tokens, answer.output_tokens) == (None, None)


async def test_the_judge_judges_with_it() -> None:
    async with FakeModel() as fake:
        model: Any = OllamaChat.create("llama3.2", {"OLLAMA_BASE_URL": fake.address})
        (evaluation,) = [one async for one in Judge.create(EvaluatorSetup({}, model)).evaluate([a_conversation()])]
        await model.close()

    assert isinstance(evaluation.result, Findings), evaluation.result
