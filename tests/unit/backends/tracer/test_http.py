"""Spans reach a real collector over HTTP, whatever state it is in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from healing_eval import telemetry
from healing_eval.backends.tracer.http import BATCH, MAX_CHARACTERS, QUEUE, OtlpTracer
from healing_eval.errors import ConfigError
from healing_eval.pipeline.spans import spanning
from healing_eval.testing.collector import Collector
from healing_eval.testing.waiting import wait_until

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
KEPT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


def tracer_to(url: str, *, share: float = 1.0) -> OtlpTracer:
    return OtlpTracer.from_url(url, service="test", share=share)


def counted(state: str) -> float:
    return telemetry.REGISTRY.get_sample_value("healing_eval_spans_total", {"state": state}) or 0.0


@pytest.mark.parametrize("path", ["", "/", "/v1/traces"])
async def test_spans_arrive_with_their_parents_links_and_attributes(collector: Collector, path: str) -> None:
    tracer = tracer_to(collector.endpoint + path)
    about = {"text": "ä" * 1000, "number": 3, "names": ["a", "b"]}

    with spanning(tracer, "outer", "server", about, parent=KEPT) as outer:
        inside = await asyncio.create_task(in_a_task(tracer))
        with spanning(tracer, "inner", "client", {}, parent=tracer.current(), links=[KEPT, "nonsense"]) as inner:
            inner.link(KEPT)
    nothing = tracer.current()
    await tracer.close()

    first, second = collector.named("inner")[0], collector.named("outer")[0]
    assert inside == outer.traceparent
    assert nothing is None
    assert (second.trace_id, second.parent_id, second.kind) == (TRACE_ID, KEPT[36:52], "server")
    assert second.attributes == {"text": "ä" * MAX_CHARACTERS, "number": 3, "names": ["a", "b"]}
    assert second.resource["service.name"] == "test"
    assert (first.trace_id, first.parent_id, first.kind) == (TRACE_ID, second.span_id, "client")
    assert first.links == ((TRACE_ID, KEPT[36:52]),) * 2
    assert collector.refusals == []


async def in_a_task(tracer: OtlpTracer) -> str | None:
    await asyncio.sleep(0)
    return tracer.current()


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "00",
        KEPT[:-1],
        f"{KEPT}-more",
        f"ff{KEPT[2:]}",
        f"00-{'0' * 32}-{'1' * 16}-01",
        "x" * 9999,
    ],
)
async def test_what_is_no_traceparent_begins_a_trace(collector: Collector, sent: str | None) -> None:
    tracer = tracer_to(collector.endpoint)

    tracer.start("one", "server", {}, parent=sent).end()
    await tracer.close()

    (span,) = collector.spans
    assert span.parent_id == ""
    assert span.trace_id not in {TRACE_ID, "0" * 32}


async def test_of_new_traces_a_share_is_kept_and_of_others_the_beginner_decides(collector: Collector) -> None:
    tracer = tracer_to(collector.endpoint, share=0.0)

    new = tracer.start("new", "server", {}, parent=None)
    kept = tracer.start("kept", "server", {}, parent=KEPT)
    with tracer.within(new):
        within_new = tracer.current()
    for span in (new, kept):
        span.end()
    every = tracer_to(collector.endpoint)
    not_kept = every.start("not kept", "server", {}, parent=f"{KEPT[:-2]}00")
    not_kept.end()
    await tracer.close()
    await every.close()

    assert (new.traceparent, within_new, not_kept.traceparent) == (None, None, None)
    assert [span.name for span in collector.spans] == ["kept"]


async def test_a_failure_is_told_by_its_class_alone(collector: Collector) -> None:
    tracer = tracer_to(collector.endpoint)

    with pytest.raises(ValueError, match="content"), spanning(tracer, "broken", "internal", {}, parent=KEPT):
        raise ValueError("content of a turn")
    await tracer.close()

    (span,) = collector.spans
    assert (span.failed, span.attributes, span.events) == (True, {"error.type": "ValueError"}, 0)


async def test_a_collector_that_does_not_answer_costs_spans_and_no_memory(collector: Collector) -> None:
    collector.going_on.clear()
    tracer = tracer_to(collector.endpoint)

    for _ in range(2 * QUEUE):
        tracer.start("one", "internal", {}, parent=KEPT).end()
    collector.going_on.set()
    await tracer.close()

    assert BATCH < len(collector.spans) <= QUEUE + 2 * BATCH


async def test_a_collector_that_refuses_is_told_with_its_reason(collector: Collector) -> None:
    collector.status = 500
    tracer = tracer_to(collector.endpoint)

    with capture_logs() as said:
        tracer.start("one", "internal", {}, parent=KEPT).end()
        await tracer.close()

    (event,) = said
    assert event["event"] == "spans.unsent"
    assert "500" in event["said"]


@pytest.mark.parametrize(
    "url", ["http://", "http://:4318", "http://collector:0", "http://collector:99999", "https://[::1", "http://[x]/"]
)
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^setting 'telemetry\.otlp_endpoint' must be an address such as http://"):
        tracer_to(url)


def test_a_wrong_setting_of_the_library_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")

    with pytest.raises(ConfigError, match=r"OTEL_\*.*many"):
        tracer_to("http://collector:4318")


async def test_a_setting_that_the_library_ignores_is_an_event_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "my-secret without an equals sign")

    with capture_logs() as said:
        await tracer_to("http://collector:4318").close()

    assert [one["event"] for one in said] == ["spans.setting_ignored"]
    assert "my-secret" not in str(said)


class Scripted(SpanExporter):
    """Fails and takes as told."""

    def __init__(self, *results: bool) -> None:
        self._results = iter(results)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS if next(self._results) else SpanExportResult.FAILURE


async def exported(spans: float) -> bool:
    return counted("sent") + counted("lost") >= spans


async def test_it_is_said_once_when_spans_cannot_be_sent_and_once_when_they_can_again() -> None:
    before = {state: counted(state) for state in ("made", "sent", "lost")}
    with capture_logs() as said:
        tracer = OtlpTracer(Scripted(True, False, False, True), service="test", share=1.0)
        for batch in range(4):
            for _ in range(BATCH):
                tracer.start("one", "internal", {}, parent=KEPT).end()
            await wait_until(partial(exported, before["sent"] + before["lost"] + (batch + 1) * BATCH))
        await tracer.close()

    assert [one["event"] for one in said] == ["spans.unsent", "spans.sent_again"]
    now = {state: (counted(state) - before[state]) / BATCH for state in before}
    assert now == {"made": 4, "sent": 2, "lost": 2}
