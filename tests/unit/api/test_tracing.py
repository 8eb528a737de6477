"""One span for each request, named by its route."""

from __future__ import annotations

from typing import Any, cast

import pytest
from litestar.types import Message, Receive, Scope, Send

from healing_eval.api.tracing import Traced
from healing_eval.ports.tracer import Tracer
from healing_eval.testing.collector import Collector, Received

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class App:
    """Answers with a status, or breaks; is routed by a template, or by none."""

    def __init__(self, tracer: Tracer, status: int = 200, template: str | None = "/things/{name:str}") -> None:
        self.status = status
        self.template = template
        self.within: str | None = None
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.within = self._tracer.current()
        known = cast("dict[str, Any]", scope)
        known["method"] = "GET" if known.get("method") == "HEAD" else known.get("method")
        if self.template is not None:
            known["path_template"] = self.template
        if self.status == 0:
            raise ValueError("content")
        await send(cast("Message", {"type": "http.response.start", "status": self.status, "headers": []}))


async def ask(app: App, tracer: Tracer, method: str = "GET", path: str = "/things/secret-id", *sent: bytes) -> None:
    headers = [(b"traceparent", value) for value in sent]
    scope = {"type": "http", "method": method, "path": path, "scheme": "http", "headers": headers}

    async def nothing(*_: object) -> Any:
        return None

    await Traced(app, tracer)(cast("Scope", scope), nothing, nothing)


async def told(tracer: Tracer, collector: Collector) -> Received:
    await tracer.close()
    (span,) = collector.spans
    return span


async def test_it_is_named_by_the_route_and_never_by_the_path(tracer: Tracer, collector: Collector) -> None:
    app = App(tracer)

    await ask(app, tracer, "HEAD")

    span = await told(tracer, collector)
    assert (span.name, span.kind, span.parent_id, span.failed) == ("HEAD /things/{name}", "server", "", False)
    assert span.attributes == {
        "http.request.method": "HEAD",
        "http.route": "/things/{name}",
        "http.response.status_code": 200,
        "url.scheme": "http",
    }
    assert app.within == f"00-{span.trace_id}-{span.span_id}-01"


@pytest.mark.parametrize(
    ("sent", "continued"), [((PARENT,), True), ((PARENT, PARENT), False), ((b"\xff" * 55,), False)]
)
async def test_it_goes_on_with_the_callers_trace(
    tracer: Tracer, collector: Collector, sent: tuple[bytes, ...], continued: bool
) -> None:
    await ask(App(tracer), tracer, "GET", "/things/a", *sent)

    span = await told(tracer, collector)
    assert (span.parent_id == "b7ad6b7169203331") is continued


async def test_what_the_caller_does_not_keep_is_not_kept(tracer: Tracer, collector: Collector) -> None:
    app = App(tracer)

    await ask(app, tracer, "GET", "/things/a", PARENT[:-1] + b"0")
    await tracer.close()

    assert (app.within, collector.spans) == (None, [])


@pytest.mark.parametrize(("status", "error"), [(404, None), (503, "503"), (0, "500")])
async def test_only_faults_of_the_server_are_errors(
    tracer: Tracer, collector: Collector, status: int, error: str | None
) -> None:
    app = App(tracer, status, None)

    if status:
        await ask(app, tracer, "BREW")
    else:
        with pytest.raises(ValueError, match="content"):
            await ask(app, tracer, "BREW")

    span = await told(tracer, collector)
    assert (span.name, span.failed, span.attributes.get("error.type")) == ("_OTHER", error is not None, error)
    assert span.attributes["http.response.status_code"] == (status or 500)
    assert (span.events, "http.route" in span.attributes) == (0, False)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_what_machines_ask_every_few_seconds_has_none(tracer: Tracer, collector: Collector, path: str) -> None:
    app = App(tracer)

    await ask(app, tracer, "GET", path, PARENT)
    await tracer.close()

    assert (app.within, collector.spans) == (None, [])
