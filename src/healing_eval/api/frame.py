"""What happens around every request?

Its path is made routable and HEAD is taken as GET; before the answer the rest of its body is read; one log line and one
measurement follow it.
"""

from __future__ import annotations

import time
from typing import cast

import structlog
from litestar.types import ASGIApp, HTTPResponseStartEvent, HTTPScope, Message, Receive, Scope, Send

from healing_eval import telemetry
from healing_eval.api.addresses import pack
from healing_eval.api.draining import TIMES_THE_LIMIT, Draining
from healing_eval.api.methods import (
    KNOWN,
    QUIET,
    Methods,
    path_template,
    route_of,
    take_head,
    tell_methods,
    without_body,
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
            await send(without_body(message) if method == "HEAD" else message)

        take_head(request)
        pack(request)
        try:
            await self._app(scope, body.receive, watch)
        finally:
            _report(request, method, status, time.perf_counter() - started)

    def _tell_methods(self, request: HTTPScope, message: HTTPResponseStartEvent) -> None:
        known = self._methods.get(path_template(request) or "")
        if request["method"] == "OPTIONS" and known is not None:
            tell_methods(message, known)


def _report(scope: HTTPScope, method: str, status: int, seconds: float) -> None:
    """Say in one line what was asked and answered, by route: ids and content stay out of logs and labels."""
    route = route_of(scope) or _UNROUTED
    telemetry.REQUEST_SECONDS.labels(route, str(status)).observe(seconds)
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
