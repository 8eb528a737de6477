"""How does `POST /api/v1/conversations` answer?

Conversations come one by one from thousands of agents, so this route is asked more often than all others together, and
what a framework does around a request would be a third of its cost. It is answered before the framework sees it; the
framework's own handler describes it in the OpenAPI, and is asked where the path is spelled in another way.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from healing_eval.api.body import CONVERSATION_TYPES, read_bytes
from healing_eval.api.context import Context, permitted
from healing_eval.api.headers import Headers
from healing_eval.api.noted import note
from healing_eval.api.problems import MEDIA_TYPE, answer_of
from healing_eval.pipeline.ingest import Ingested

PATH = "/api/v1/conversations"

_encode = msgspec.json.Encoder().encode


class Sending:
    """Stands before the framework and answers requests for this route."""

    def __init__(self, context: Context, framework: ASGIApp) -> None:
        """Take what to answer from, and who answers all other requests."""
        self._context = context
        self._framework = framework

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == PATH:
            await self._answer(scope, receive, send)
        else:
            await self._framework(scope, receive, send)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        cast("dict[str, Any]", scope)["path_template"] = PATH
        try:
            taken = await take_conversations(self._context, scope, receive)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client hears of it
            answer = answer_of(scope, error)
            await _respond(send, answer.problem.status, MEDIA_TYPE, answer.content, *answer.headers.items())
        else:
            await _respond(send, status_of(taken), "application/json", _encode(taken.answer))


async def take_conversations(context: Context, scope: HTTPScope, receive: Receive) -> Ingested:
    """Store what was sent, as far as it is good.

    Raises:
        HealingEvalError: nothing is stored; see `problems` for which are whose fault.
        HTTPException: so is nothing, because of the request's headers or its end.
    """
    headers = Headers(scope)
    principal = await permitted(context.access, headers, "ingest")
    context.services.backlog.check()
    body = await read_bytes(headers, receive, context.services.settings.limits.body_bytes, CONVERSATION_TYPES)
    taken = await context.ingest.ingest(body, headers.get(b"content-type", ""), principal.project)
    note(scope, items=len(taken.answer.items), **taken.counts)
    return taken


def status_of(taken: Ingested) -> int:
    """Give the status of the answer: whether at least one item is stored."""
    return 202 if taken.stored else 422


async def _respond(send: Send, status: int, media_type: str, content: bytes, *headers: tuple[str, str]) -> None:
    told = [("content-type", media_type), ("content-length", str(len(content))), *headers]
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in told]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content, "more_body": False})
