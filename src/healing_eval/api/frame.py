"""What happens around every request?

Its path is made routable and HEAD is taken as GET; before the answer the rest of its body is read; one log line and one
measurement are made of it, before the last of the answer leaves, so that whoever has the answer finds the line.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import cast

import structlog
from litestar.types import ASGIApp, HTTPResponseStartEvent, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Histogram

from healing_eval import telemetry
from healing_eval.api.addresses import pack
from healing_eval.api.draining import TIMES_THE_LIMIT, Draining
from healing_eval.api.methods import (
    KNOWN,
    QUIET,
    Methods,
    as_get,
    path_template,
    route_of,
    tell_methods,
    tell_route,
)
from healing_eval.api.noted import noted

log = structlog.get_logger()

_UNROUTED = "(none)"


class Frame:
    """Wraps the application, its error handling included."""

    def __init__(self, app: ASGIApp, methods: Methods, body_bytes: int) -> None:
        """Take the application, what each of its paths takes, and the largest body that is accepted."""
        self._app = app
        self._methods = methods
        self._most_bytes = TIMES_THE_LIMIT * body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = as_get(cast("HTTPScope", scope))
        report = _Report(request, cast("HTTPScope", scope)["method"])
        body = Draining(request, receive, self._most_bytes)

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                report.status = message["status"]
                self._tell_methods(request, message)
                await body.drain()
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                report.make()
            await send(message)

        pack(request)
        try:
            await self._app(request, body.receive, watch)
        finally:
            tell_route(scope, request)
            report.make()

    def _tell_methods(self, request: HTTPScope, message: HTTPResponseStartEvent) -> None:
        known = self._methods.get(path_template(request) or "")
        if request["method"] == "OPTIONS" and known is not None:
            tell_methods(message, known)


class _Report:
    """Says in one line what was asked and answered, by route: ids and content stay out of logs and labels."""

    def __init__(self, scope: HTTPScope, method: str) -> None:
        self.status = 500
        self._scope = scope
        self._method = method if method in KNOWN else "(other)"
        self._started = time.perf_counter()
        self._is_made = False

    def make(self) -> None:
        """Say it, once."""
        if self._is_made:
            return
        self._is_made = True
        seconds, status = time.perf_counter() - self._started, self.status
        route = route_of(self._scope) or _UNROUTED
        _timer(route, status).observe(seconds)
        say = log.debug if route in QUIET else log.info if status < 500 else log.error if status == 500 else log.warning
        say(
            "request.handled",
            method=self._method,
            route=route,
            status=status,
            duration_ms=round(1000 * seconds, 3),
            **noted(self._scope),
        )


@lru_cache(maxsize=256)
def _timer(route: str, status: int) -> Histogram:
    """Look a child of the metric up, which takes longer than to observe with it; there are few."""
    return telemetry.REQUEST_SECONDS.labels(route, str(status))
