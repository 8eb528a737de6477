"""Where is a collector of spans to test with? A real HTTP server on loopback that takes OTLP as protobuf.

In a test: `with Collector() as collector: ... collector.endpoint`, then `collector.spans`. It refuses whatever a real
one would: other paths and media types, and bodies that are none.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PATH = "/v1/traces"
MEDIA_TYPE = "application/x-protobuf"
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A span as it came."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    """"" of the first span of a trace."""
    links: tuple[tuple[str, str], ...]
    """Trace and span of each."""
    attributes: dict[str, Any]
    resource: dict[str, Any]
    failed: bool
    events: int
    started_ns: int
    ended_ns: int


class Collector:
    """A collector. Its attributes may be changed at any time.

    Attributes:
        status: how it answers what is well-formed; spans are kept with 200 only.
        spans: what it was sent, in the order it came.
        requests: how many it was sent, refused ones included.
        refusals: what was wrong with requests.
        going_on: while it is cleared, requests are taken and not answered.
    """

    def __init__(self, port: int = 0) -> None:
        self.status = 200
        self.spans: list[Received] = []
        self.requests = 0
        self.refusals: list[str] = []
        self.going_on = threading.Event()
        self.going_on.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_address[1]

    @property
    def endpoint(self) -> str:
        """What to set as `telemetry.otlp_endpoint`."""
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[Received]:
        """List the spans of that name."""
        return [span for span in self.spans if span.name == name]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.going_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                collector.requests += 1
                collector.going_on.wait()
                status = collector.take(self.path, self.headers, body)
                answer = ExportTraceServiceResponse().SerializeToString() if status == 200 else b""
                self.send_response(status)
                self.send_header("Content-Type", MEDIA_TYPE)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the library
                """Say nothing."""

        return Handler

    def take(self, path: str, headers: Any, body: bytes) -> int:
        """Keep the spans of one request, and give the status of the answer."""
        if path != PATH:
            return self._refuse(404, f"path {path}")
        if headers.get("Content-Type") != MEDIA_TYPE:
            return self._refuse(415, f"media type {headers.get('Content-Type')}")
        if self.status != 200:
            return self.status
        request = ExportTraceServiceRequest()
        try:
            request.ParseFromString(gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body)
        except (DecodeError, OSError, EOFError) as error:
            return self._refuse(400, f"body: {type(error).__name__}")
        self.spans += _spans(request)
        return 200

    def _refuse(self, status: int, why: str) -> int:
        self.refusals.append(why)
        return status


def _spans(request: Any) -> Iterator[Received]:
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Received(
                    name=span.name,
                    kind=KINDS[int(span.kind)],
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                    attributes=_attributes(span.attributes),
                    resource=resource,
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                    events=len(span.events),
                    started_ns=span.start_time_unix_nano,
                    ended_ns=span.end_time_unix_nano,
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    chosen = value.WhichOneof("value")
    if chosen == "array_value":
        return [_value(one) for one in value.array_value.values]
    return None if chosen is None else getattr(value, chosen)
