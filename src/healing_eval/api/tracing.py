"""Which span has a request? One, within that of the caller if it sent a `traceparent`; health checks have none.

It names the route and never the path, which holds ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from healing_eval.api.methods import QUIET, route_of
from healing_eval.ports.tracer import Span, Tracer

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})


class Traced:
    """Wraps an application, all around it included."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        """Take the application, and who makes spans."""
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        request = cast("HTTPScope", scope)
        method = request["method"] if request["method"] in _METHODS else "_OTHER"  # before it is changed
        about = {"http.request.method": method, "url.scheme": request["scheme"]}
        span = self._tracer.start("HTTP", "server", about, parent=_sent_with(request["headers"]))
        if span.traceparent is None:
            span.end()
            await self._app(scope, receive, send)
        else:
            await self._answer(request, receive, send, span, method)

    async def _answer(self, request: HTTPScope, receive: Receive, send: Send, span: Span, method: str) -> None:
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        trace_id = (span.traceparent or "")[3:35]
        try:
            with self._tracer.within(span), structlog.contextvars.bound_contextvars(trace_id=trace_id):
                await self._app(request, receive, watch)
        finally:
            route = route_of(request)
            span.rename(method if route is None else f"{method} {route}")
            span.note({"http.response.status_code": status} | ({} if route is None else {"http.route": route}))
            span.end(str(status) if status >= 500 else None)


def _sent_with(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Give the `traceparent` that came with a request; None if there is none, or more than one."""
    found = [value for name, value in headers if name == b"traceparent"]
    return found[0].decode("latin-1") if len(found) == 1 else None
