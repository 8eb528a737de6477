"""What happens around every request? Its path is made routable; one log line and one measurement follow it."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any, cast

import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from healing_eval import telemetry
from healing_eval.api.addresses import pack

log = structlog.get_logger()

_UNROUTED = "(none)"
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes that machines call every few seconds; they are logged as debug events."""


class Frame:
    """Wraps the application, its error handling included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = cast("HTTPScope", scope)
        started = time.perf_counter()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        pack(request)
        try:
            await self._app(scope, receive, watch)
        finally:
            _report(request, status, time.perf_counter() - started)


def _report(scope: HTTPScope, status: int, seconds: float) -> None:
    """Say what was asked and answered, by route: ids and content stay out of logs and labels."""
    known = cast("dict[str, Any]", scope)
    route = _route(known.get("path_template") or _UNROUTED)
    telemetry.REQUEST_SECONDS.labels(route, str(status)).observe(seconds)
    items = known.get("state", {}).get("items")
    fields = {} if items is None else {"items": items}
    say = log.debug if route in _QUIET else log.info
    say("request.handled", method=scope["method"], route=route, status=status, seconds=round(seconds, 6), **fields)


@lru_cache(maxsize=256)
def _route(template: str) -> str:
    """Write a template as the OpenAPI does: without types."""
    return template.replace(":str}", "}")
