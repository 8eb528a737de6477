"""Who takes spans by OTLP over HTTP? An OpenTelemetry collector, or what speaks like one.

A thread of the library's own sends them in batches from a queue that holds `QUEUE` at most: a collector that is slow
or absent costs spans, and one warning when it begins and one when it is over.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from healing_eval import __version__, telemetry
from healing_eval.errors import ConfigError
from healing_eval.masking import masked
from healing_eval.ports.tracer import Attributes, Kind, Span

log = structlog.get_logger()

PATH = "/v1/traces"
QUEUE = 4096
"""Most spans that wait to be sent; what comes while it is full costs the oldest ones."""
BATCH = 512
SEND_EVERY_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""How long the collector may take for one batch, tries of a second time included."""
FLUSH_SECONDS = 5.0
"""How long what is left may take at the end."""
MAX_CHARACTERS = 256
"""Longest text of an attribute: some come from a model's server."""

_KINDS: dict[Kind, trace.SpanKind] = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
    "producer": trace.SpanKind.PRODUCER,
    "consumer": trace.SpanKind.CONSUMER,
}
_MADE, _SENT, _LOST = map(telemetry.SPANS.labels, ("made", "sent", "lost"))
_ERROR = trace.Status(trace.StatusCode.ERROR)
_PROPAGATOR = TraceContextTextMapPropagator()


class OtlpSpan:
    """A span of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self.span = span
        self.traceparent = _traceparent(span.get_span_context())

    def rename(self, name: str) -> None:
        self.span.update_name(name)

    def note(self, attributes: Attributes) -> None:
        self.span.set_attributes(attributes)

    def link(self, traceparent: str) -> None:
        for link in _links([traceparent]):
            self.span.add_link(link.context)

    def end(self, error: str | None = None) -> None:
        if error is not None:
            self.span.set_attribute("error.type", error)
            self.span.set_status(_ERROR)
        self.span.end()
        if self.traceparent is not None:
            _MADE.inc()


class OtlpTracer:
    """A `Tracer` that sends to a collector: `http://` and `https://`."""

    def __init__(self, exporter: SpanExporter, *, service: str, share: float) -> None:
        """Take who sends spans, what this process calls itself, and the share of new traces that is kept."""
        resource = {"service.name": service, "service.version": __version__, "service.instance.id": _instance()}
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)),
            resource=Resource.create(resource),
            span_limits=SpanLimits(max_attribute_length=MAX_CHARACTERS, max_span_attribute_length=MAX_CHARACTERS),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _Telling(exporter),
                max_queue_size=QUEUE,
                max_export_batch_size=BATCH,
                schedule_delay_millis=1000 * SEND_EVERY_SECONDS,
            )
        )
        self._tracer = self._provider.get_tracer("healing_eval", __version__)

    @classmethod
    def from_url(cls, url: str, *, service: str, share: float) -> Self:
        endpoint = _endpoint(url)
        try:
            with _library.reading_settings():
                return cls(OTLPSpanExporter(endpoint, timeout=ANSWER_SECONDS), service=service, share=share)
        except ValueError as error:
            raise ConfigError(f"one of OpenTelemetry's own settings, OTEL_*, is wrong: {error}") from error

    def current(self) -> str | None:
        return _traceparent(trace.get_current_span().get_span_context())

    def start(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        parent: str | None,
        links: Sequence[str] = (),
    ) -> OtlpSpan:
        above = trace.set_span_in_context(_remote(parent))
        span = self._tracer.start_span(name, above, _KINDS[kind], attributes, _links(links))
        return OtlpSpan(span)

    @contextmanager
    def within(self, span: Span) -> Generator[None]:
        inner = span.span if isinstance(span, OtlpSpan) else trace.INVALID_SPAN
        # An exception's text may quote content, so the library must not record it.
        with trace.use_span(inner, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            yield

    async def close(self) -> None:
        ending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, FLUSH_SECONDS)
        if ending.is_alive():
            log.warning("spans.left", after_seconds=FLUSH_SECONDS)


class _Telling(SpanExporter):
    """Says when spans cannot be sent any more, and when they can again; counts both."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        _library.complaint = ""
        result = self._exporter.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        (_LOST if failed else _SENT).inc(len(spans))
        if failed and not self._fails:
            log.warning("spans.unsent", setting="telemetry.otlp_endpoint", said=_library.complaint)
        elif self._fails and not failed:
            log.info("spans.sent_again", spans=len(spans))
        self._fails = failed
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Library(logging.Handler):
    """Hears what the library logs, line after line, and makes of it what an operator needs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._reads_settings = False
        self.complaint = ""
        """The first about an export since this was emptied; it tells the cause, and those after it only retries."""

    def emit(self, record: logging.LogRecord) -> None:
        if self._reads_settings:  # without the values: one may be a secret in OTEL_*_HEADERS
            log.warning("spans.setting_ignored", said=str(record.msg))
        elif record.name.startswith("opentelemetry.exporter") and not self.complaint:
            self.complaint = masked(record.getMessage())[:MAX_CHARACTERS]

    @contextmanager
    def reading_settings(self) -> Generator[None]:
        """Tell at once what is odd about the library's own settings."""
        library = logging.getLogger("opentelemetry")
        library.propagate = False
        library.addHandler(self)
        self._reads_settings = True
        try:
            yield
        finally:
            self._reads_settings = False


_library = _Library()


def _endpoint(url: str) -> str:
    """Give the address that takes traces; that of the collector, without a path, will do."""
    try:
        address = urlsplit(url)
        well_formed = bool(address.hostname) and address.port != 0
    except ValueError:
        address, well_formed = urlsplit(""), False
    if not well_formed:
        expected = "an address such as http://collector:4318"
        raise ConfigError(f"setting 'telemetry.otlp_endpoint' must be {expected}, got {masked(url)!r}")
    path = address.path.rstrip("/")
    return urlunsplit(address._replace(path=path if path.endswith(PATH) else path + PATH))


def _instance() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _traceparent(context: trace.SpanContext) -> str | None:
    """Name a span; None if it is not kept."""
    if not (context.is_valid and context.trace_flags.sampled):
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def _remote(traceparent: str | None) -> trace.Span:
    """Make a span to be the parent of others; an invalid one of what is no traceparent."""
    if traceparent is None:
        return trace.INVALID_SPAN
    return trace.get_current_span(_PROPAGATOR.extract({"traceparent": traceparent}))


def _links(traceparents: Sequence[str]) -> list[trace.Link]:
    contexts = [_remote(one).get_span_context() for one in traceparents]
    return [trace.Link(context) for context in contexts if context.is_valid]
