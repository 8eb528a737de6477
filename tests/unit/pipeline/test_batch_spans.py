"""A batch of messages that come from posts with traces of their own."""

from __future__ import annotations

import asyncio

from healing_eval.domain.revision import RevisionKey
from healing_eval.pipeline.batch_spans import note_done, span_about, traced_batch
from healing_eval.ports.stream import Delivery
from healing_eval.ports.tracer import Tracer
from healing_eval.testing.collector import Collector, Received

POSTS = [f"00-{number:032x}-{number:016x}-01" for number in (1, 2)]
KEYS = [RevisionKey(bytes([number]) * 16, 1) for number in range(4)]


def delivery(number: int, traceparent: str | None) -> Delivery:
    return Delivery(f"{number}-0", KEYS[number], 1, traceparent)


def trace_of(traceparent: str | None) -> str:
    return (traceparent or "")[3:35]


async def test_messages_of_one_post_are_a_span_of_its_trace(tracer: Tracer, collector: Collector) -> None:
    seen: list[str | None] = []

    async def work() -> None:
        seen.extend([tracer.current(), span_about(KEYS[0].conversation_key)])
        note_done(KEYS[:1])

    await traced_batch(tracer, "checks", [delivery(0, POSTS[0]), delivery(1, POSTS[0]), delivery(2, None)], work)
    await tracer.close()

    (span,) = collector.spans
    assert (span.name, span.kind, span.links) == ("process checks", "consumer", ())
    assert (span.trace_id, span.parent_id) == (trace_of(POSTS[0]), POSTS[0][36:52])
    assert span.attributes["messaging.batch.message_count"] == 3
    assert (trace_of(seen[0]), seen[1]) == (trace_of(POSTS[0]), None)


async def test_messages_of_several_posts_have_a_span_in_each_trace_that_ends_with_their_last(
    tracer: Tracer, collector: Collector
) -> None:
    about: list[str | None] = []

    async def work() -> None:
        note_done([KEYS[0]])
        about.extend([span_about(KEYS[1].conversation_key), span_about(KEYS[2].conversation_key)])
        note_done([KEYS[1], KEYS[1]])
        about.append(span_about(KEYS[1].conversation_key))
        await asyncio.sleep(0.05)

    deliveries = [delivery(0, POSTS[0]), delivery(1, POSTS[0]), delivery(2, POSTS[1])]
    await traced_batch(tracer, "judges", deliveries, work)
    await tracer.close()

    (batch,) = collector.named("process judges")
    by_trace: dict[str, Received] = {span.trace_id: span for span in collector.named("evaluate on judges")}
    first, second = (by_trace[trace_of(post)] for post in POSTS)
    assert (batch.trace_id, batch.links) == (trace_of(POSTS[0]), ((trace_of(POSTS[1]), POSTS[1][36:52]),))
    assert first.links == second.links == ((batch.trace_id, batch.span_id),)
    assert (second.parent_id, second.attributes["messaging.batch.message_count"]) == (POSTS[1][36:52], 1)
    assert [trace_of(one) for one in about] == [trace_of(POSTS[0]), trace_of(POSTS[1]), ""]
    assert "healing_eval.given_back" not in first.attributes
    assert second.attributes["healing_eval.given_back"] == 1
    assert first.ended_ns < second.ended_ns <= batch.ended_ns or first.ended_ns < batch.ended_ns


async def test_without_a_traceparent_a_batch_has_no_span(tracer: Tracer, collector: Collector) -> None:
    done: list[str | None] = []

    async def work() -> None:
        note_done(KEYS)
        done.append(tracer.current())

    await traced_batch(tracer, "checks", [delivery(0, None)], work)
    await tracer.close()

    assert (done, collector.spans) == ([None], [])
