"""Does our client understand a real OpenAI-compatible server? vLLM, with a tiny model of random weights.

Opt-in: `make vllm VLLM=PYTHON`; CONTRIBUTING.md says how to make such a Python. What the model says means nothing, so
only how the server answers is looked at.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
import pytest

from healing_eval.backends.chat_model.openai import OpenAIChat
from healing_eval.domain.evaluation import Failure
from healing_eval.errors import ModelRefused
from healing_eval.evaluators.judge.confidence import confidence_from
from healing_eval.evaluators.judge.evaluator import Judge
from healing_eval.ports.chat_model import ChatMessage, ChatRequest
from healing_eval.ports.evaluator import EvaluatorSetup
from healing_eval.testing.builders import a_conversation
from healing_eval.testing.servers.process import MissingServer, wait_until_ready
from healing_eval.testing.servers.vllm import SETTING, VllmServer

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(400)]

NAMES = ["helpfulness", "factuality"]
CRITERION = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "enum": NAMES},
        "score": {"type": "integer", "enum": [0, 1, 2, 3, 4, 5]},
    },
    "required": ["name", "score"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"criteria": {"type": "array", "minItems": 1, "maxItems": 1, "items": CRITERION}},
    "required": ["criteria"],
    "additionalProperties": False,
}
Client = Callable[..., OpenAIChat]


def asking(text: str = "Hello", **other: Any) -> ChatRequest:
    given: dict[str, Any] = {"max_output_tokens": 200, "timeout_seconds": 120} | other
    return ChatRequest(messages=[ChatMessage("user", text)], **given)


def criterion_in(text: str) -> dict[str, Any]:
    """Give the criterion of an answer that has our schema, and nothing else."""
    document = json.loads(text)
    assert list(document) == ["criteria"]
    (criterion,) = document["criteria"]
    assert criterion.keys() == {"name", "score"}
    assert criterion["name"] in NAMES
    assert criterion["score"] in range(6)
    return criterion


def lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def server() -> Iterator[VllmServer]:
    try:
        vllm = VllmServer()
    except MissingServer as error:
        if os.environ.get(SETTING):
            pytest.fail(str(error))  # who names one wants these tests run
        pytest.skip(str(error))
    try:
        vllm.start()
        yield vllm
        vllm.stop()
        wait_until_ready(lambda: not lives(vllm.pid), "the end of vLLM and of all its children")
    finally:
        vllm.remove()


@pytest.fixture
async def client(server: VllmServer) -> AsyncIterator[Client]:
    """Make clients, by default of the model that is served and with the right key."""
    made: list[OpenAIChat] = []

    def make(model: str = server.model, key: str | None = server.key) -> OpenAIChat:
        environment = {"OPENAI_BASE_URL": server.base_url} | ({"OPENAI_API_KEY": key} if key else {})
        made.append(OpenAIChat.create(model, environment))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_an_answer_has_the_schema_that_was_asked_for(client: Client) -> None:
    answer = await client().ask(asking(schema=SCHEMA))

    criterion_in(answer.text)
    assert (answer.model, answer.finish_reason, answer.requests) == ("tiny", "stop", 1)


async def test_tokens_are_counted_by_the_server(client: Client) -> None:
    answer = await client().ask(asking("Hello", max_output_tokens=40))

    assert answer.input_tokens == len("user: Hello\nassistant: ")  # of a tokenizer that has one for each byte
    assert (answer.output_tokens, answer.finish_reason) == (40, "length")


async def test_each_token_comes_with_its_probability(client: Client) -> None:
    answer = await client().ask(asking(schema=SCHEMA, logprobs=True))

    given = answer.token_logprobs or ()
    assert len(given) == answer.output_tokens
    assert "".join(one.token for one in given).startswith(answer.text)
    assert all((one.token, one.logprob) in one.alternatives for one in given)
    assert {len(one.alternatives) for one in given} == {5}


async def test_tokens_that_are_parts_of_characters_do_no_harm(client: Client) -> None:
    answer = await client().ask(asking(max_output_tokens=40, logprobs=True))

    assert "\ufffd" in answer.text
    assert len(answer.token_logprobs or ()) == 40


async def test_a_model_of_random_weights_is_unsure_of_its_grade(client: Client) -> None:
    answer = await client().ask(asking(schema=SCHEMA, logprobs=True))

    confidence = confidence_from(answer.text, answer.token_logprobs)
    assert confidence is not None
    (measured,) = confidence.criteria
    assert {"name": measured.name, "score": measured.grade} == criterion_in(answer.text)
    assert 0.8 < measured.seen < 0.9  # of six grades as likely as each other the server lists five
    assert max(measured.probabilities) < 0.25


async def test_several_calls_at_once_get_an_answer_each(client: Client) -> None:
    model = client()

    answers = await asyncio.gather(*(model.ask(asking(f"Number {number}", schema=SCHEMA)) for number in range(20)))

    assert [answer.requests for answer in answers] == [1] * 20
    for answer in answers:
        criterion_in(answer.text)
    sizes = {len(f"user: Number {number}\nassistant: ") for number in range(20)}
    assert {answer.input_tokens for answer in answers} <= sizes | {size - 1 for size in sizes}  # " 4" may be one token


@pytest.mark.parametrize(
    ("model", "question", "words"),
    [
        ("nonesuch", asking(), "404: The model `nonesuch` does not exist"),
        ("tiny", asking("x" * 5000), "400: .*maximum context length is 2048 tokens"),
        ("tiny", asking(max_output_tokens=5000), "400: max_completion_tokens=5000"),
    ],
)
async def test_a_refusal_comes_in_the_servers_own_words(
    client: Client, model: str, question: ChatRequest, words: str
) -> None:
    with pytest.raises(ModelRefused, match=words):
        await client(model).ask(question)


@pytest.mark.parametrize("key", [None, "sk-of-somebody-else"])
async def test_without_the_right_key_it_refuses(client: Client, key: str | None) -> None:
    with pytest.raises(ModelRefused, match="401: Unauthorized") as refused:
        await client(key=key).ask(asking())

    assert "somebody-else" not in str(refused.value)


async def test_a_refusal_teaches_the_client_nothing_wrong(client: Client) -> None:
    model = client()
    for refused in (asking("x" * 5000), asking(max_output_tokens=5000)):
        with pytest.raises(ModelRefused):
            await model.ask(msgspec.structs.replace(refused, schema=SCHEMA, logprobs=True))

    answer = await model.ask(asking(schema=SCHEMA, logprobs=True))

    criterion_in(answer.text)
    assert answer.token_logprobs
    assert answer.requests == 1


async def test_a_judge_whose_prompt_is_too_long_for_it_says_why_nothing_was_measured(client: Client) -> None:
    judge = Judge.create(EvaluatorSetup(model=client(), model_timeout_seconds=120))

    (evaluation,) = [one async for one in judge.evaluate([a_conversation()])]

    assert isinstance(evaluation.result, Failure)
    assert evaluation.result.kind == "ModelRefused"
    assert "maximum context length is 2048 tokens" in evaluation.result.reason
