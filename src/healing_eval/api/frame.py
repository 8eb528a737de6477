"""What happens around every request?

Its path is made routable and HEAD is taken as GET; before the answer the rest of its body is read; one log line and one
measurement follow it.
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
from healing_eval.api.sending import PATH, Sending

log = structlog.get_logger()

_UNROUTED = "(none)"


class Frame:
    """Wraps the application, its error handling included."""

    def __init__(self, app: ASGIApp, methods: Methods, body_bytes: int, sending: Sending | None = None) -> None:
        """Take the application, what each of its paths takes, the largest body, and who answers one route before it."""
        self._app = app
        self._sending = sending
        self._methods = methods
        self._most_bytes = TIMES_THE_LIMIT * body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = cast("HTTPScope", scope)
        started = time.perf_counter()
        method, status = request["method"], 500
        body = Draining(request, receive, self._most_bytes)

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._tell_methods(request, message)
                await body.drain()
            await send(message)

        request = as_get(request)
        pack(request)
        try:
            await self._answer(request, body.receive, watch)
        finally:
            tell_route(scope, request)
            _report(request, method, status, time.perf_counter() - started)

    async def _answer(self, request: HTTPScope, receive: Receive, send: Send) -> None:
        if self._sending is not None and request["method"] == "POST" and request["path"] == PATH:
            await self._sending(request, receive, send)
        else:
            await self._app(request, receive, send)

    def _tell_methods(self, request: HTTPScope, message: HTTPResponseStartEvent) -> None:
        known = self._methods.get(path_template(request) or "")
        if request["method"] == "OPTIONS" and known is not None:
            tell_methods(message, known)


def _report(scope: HTTPScope, method: str, status: int, seconds: float) -> None:
    """Say in one line what was asked and answered, by route: ids and content stay out of logs and labels."""
    route = route_of(scope) or _UNROUTED
    _timer(route, status).observe(seconds)
    say = log.debug if route in QUIET else log.info if status < 500 else log.error if status == 500 else log.warning
    shown = method if method in KNOWN else "(other)"
    say(
        "request.handled",
        method=shown,
        route=route,
        status=status,
        duration_ms=round(1000 * seconds, 3),
        **noted(scope),
    )


@lru_cache(maxsize=256)
def _timer(route: str, status: int) -> Histogram:
    """Look a child of the metric up, which takes longer than to observe with it; there are few."""
    return telemetry.REQUEST_SECONDS.labels(route, str(status))
