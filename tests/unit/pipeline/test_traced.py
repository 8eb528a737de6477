"""What stands in front of the stream, the evaluators and the model, and tells spans of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from healing_eval.backends.stream.memory import MemoryStream
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Failure, Findings
from healing_eval.domain.revision import RevisionKey
from healing_eval.errors import ModelUnavailable
from healing_eval.pipeline.batch_spans import traced_batch
from healing_eval.pipeline.evaluate import evaluate
from healing_eval.pipeline.spans import spanning
from healing_eval.pipeline.traced import swept_stream, traced_evaluator, traced_model, traced_stream
from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatModel, ChatRequest
from healing_eval.ports.evaluator import Evaluator
from healing_eval.ports.stream import Delivery
from healing_eval.ports.tracer import Tracer
from healing_eval.testing.builders import a_conversation
from healing_eval.testing.collector import Collector

KEYS = [RevisionKey(bytes([number]) * 16, 1) for number in range(2)]


async def test_what_is_swept_begins_a_trace_that_its_messages_carry_on(tracer: Tracer, collector: Collector) -> None:
    stream = swept_stream(traced_stream(MemoryStream(), tracer, "memory"), tracer)

    await stream.append("checks", KEYS)
    await stream.append("judges", KEYS[1:])
    taken = await stream.read("checks", "a", count=9, wait_seconds=0)
    await tracer.close()

    first, second = collector.named("sweep")
    (sent,) = collector.named("send checks")
    assert (first.kind, first.parent_id, second.parent_id) == ("internal", "", "")
    assert (first.attributes["messaging.destination.name"], first.attributes["healing_eval.conversations"]) == (
        "checks",
        2,
    )
    assert first.trace_id != second.trace_id
    assert (sent.trace_id, sent.parent_id) == (first.trace_id, first.span_id)
    assert {one.traceparent for one in taken} == {f"00-{sent.trace_id}-{sent.span_id}-01"}


async def test_what_is_appended_within_a_span_carries_that_on(tracer: Tracer, collector: Collector) -> None:
    stream = traced_stream(MemoryStream(), tracer, "memory")

    await stream.append("checks", KEYS[:1])
    with spanning(tracer, "request", "server", {}, parent=None):
        await stream.append("checks", KEYS[1:])
    outside, inside = await stream.read("checks", "a", count=9, wait_seconds=0)
    await tracer.close()

    (sent,) = collector.named("send checks")
    (request,) = collector.named("request")
    assert (sent.kind, sent.parent_id) == ("producer", request.span_id)
    assert sent.attributes["messaging.system"] == "memory"
    assert outside.traceparent is None
    assert inside.traceparent == f"00-{sent.trace_id}-{sent.span_id}-01"


async def test_what_goes_on_to_another_lane_stays_in_the_trace_it_came_with(
    tracer: Tracer, collector: Collector
) -> None:
    stream = traced_stream(MemoryStream(), tracer, "memory")
    post = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    taken = await stream.append_and_read("judges", KEYS[:1], "a", count=9, traceparent=post)
    await stream.append("judges", KEYS[1:], traceparent=post)
    untraced = await stream.append_and_read("checks", KEYS, "a", count=9, traceparent=None)
    others = await stream.read("judges", "a", count=9, wait_seconds=0)
    await tracer.close()

    sent = collector.named("send judges")
    assert {(one.trace_id, one.parent_id) for one in sent} == {(post[3:35], post[36:52])}
    assert [one.traceparent for one in (*taken, *others)] == [f"00-{one.trace_id}-{one.span_id}-01" for one in sent]
    assert {one.traceparent for one in untraced} == {None}
    assert collector.named("send checks") == []


class Asking:
    """Asks a model about each conversation; says nothing about the last."""

    name = "asking"
    version = "7"
    weight = 1.0
    lane = "judges"
    needs: frozenset[str] = frozenset()

    def __init__(self, model: ChatModel) -> None:
        self.model = model

    def inapplicable(self, conversation: Conversation) -> str | None:
        return None

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        for one in conversations:
            await self.model.ask(ChatRequest(messages=[ChatMessage("user", "content")], about=one.key))
            result = Failure(reason="content", kind="Odd") if one is conversations[-1] else Findings(overall=1.0)
            yield Evaluation(one.key, self.name, self.version, result)


class Oracle:
    """A model that answers as told."""

    name = "openai:gpt-4o"
    context_tokens = 1000
    base_url = None

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        if self.error is not None:
            raise self.error
        return ChatAnswer(text="content", model="gpt-4o-2024", input_tokens=7, output_tokens=3, finish_reason="stop")


def model(tracer: Tracer, error: Exception | None = None) -> ChatModel:
    return traced_model(cast("ChatModel", Oracle(error)), tracer)


def asking(tracer: Tracer) -> Evaluator:
    return traced_evaluator(cast("Evaluator", Asking(model(tracer))), tracer)


async def evaluated(evaluator: Evaluator, conversations: Sequence[Conversation]) -> list[Any]:
    return [one async for one in evaluate(conversations, [evaluator])]


async def test_an_evaluator_and_its_questions_are_spans_of_the_batch(tracer: Tracer, collector: Collector) -> None:
    with spanning(tracer, "process judges", "consumer", {}, parent=None):
        done = await evaluated(asking(tracer), [a_conversation("a"), a_conversation("b")])
    await tracer.close()

    assert len(done) == 2
    (batch,) = collector.named("process judges")
    (span,) = collector.named("evaluate asking")
    first, _ = collector.named("chat gpt-4o")
    assert span.parent_id == batch.span_id
    assert span.attributes == {
        "healing_eval.evaluator.name": "asking",
        "healing_eval.evaluator.version": "7",
        "healing_eval.conversations": 2,
        "healing_eval.failures": 1,
    }
    assert (first.kind, first.parent_id) == ("client", span.span_id)
    assert first.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.max_tokens": 2048,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.output.type": "text",
        "gen_ai.response.model": "gpt-4o-2024",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.finish_reasons": ["stop"],
    }
    assert "content" not in str([one.attributes for one in collector.spans])


async def test_in_a_batch_of_several_posts_each_question_is_in_its_own_trace(
    tracer: Tracer, collector: Collector
) -> None:
    conversations = [a_conversation("a"), a_conversation("b")]
    posts = [f"00-{number:032x}-{number:016x}-01" for number in (1, 2)]
    deliveries = [
        Delivery("1-0", RevisionKey(one.key, 1), 1, post) for one, post in zip(conversations, posts, strict=True)
    ]

    async def work() -> None:
        await evaluated(asking(tracer), conversations)

    await traced_batch(tracer, "judges", deliveries, work)
    await tracer.close()

    parents = {span.span_id: span for span in collector.named("evaluate on judges")}
    asked = collector.named("chat gpt-4o")
    assert sorted(span.trace_id for span in asked) == [post[3:35] for post in posts]
    assert all(parents[span.parent_id].trace_id == span.trace_id for span in asked)


async def test_a_model_that_fails_is_told_by_the_class_of_error(tracer: Tracer, collector: Collector) -> None:
    asked = ChatRequest(messages=[ChatMessage("user", "content")])
    with spanning(tracer, "outer", "internal", {}, parent=None), pytest.raises(ModelUnavailable):
        await model(tracer, ModelUnavailable("content")).ask(asked)
    await tracer.close()

    (span,) = collector.named("chat gpt-4o")
    assert (span.failed, span.attributes["error.type"]) == (True, "ModelUnavailable")
    assert "content" not in str(span.attributes)


async def test_outside_a_span_that_is_kept_nothing_is_told(tracer: Tracer, collector: Collector) -> None:
    done = await evaluated(asking(tracer), [a_conversation("a")])
    await tracer.close()

    assert len(done) == 1
    assert collector.spans == []


class Broken(Asking):
    """Breaks off with an error, or is no evaluator at all."""

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        yield cast("Evaluation", None)
        raise ValueError("content")


async def test_a_broken_evaluator_costs_its_own_evaluation_and_is_told(tracer: Tracer, collector: Collector) -> None:
    broken = traced_evaluator(cast("Evaluator", Broken(model(tracer))), tracer)
    with spanning(tracer, "process checks", "consumer", {}, parent=None):
        ((_, (evaluation,)),) = await evaluated(broken, [a_conversation("a")])
    await tracer.close()

    (span,) = collector.named("evaluate asking")
    assert isinstance(evaluation.result, Failure)
    assert (span.failed, span.attributes["error.type"]) == (True, "ValueError")
