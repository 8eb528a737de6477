"""What those around a request learn of it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from litestar.types import HTTPScope, Message, Receive, Scope, Send

from healing_eval.api.frame import Frame
from healing_eval.api.methods import route_of

ROUTE = "/api/v1/conversations/{conversation_id:str}"


class Routed:
    """Routes every request to the same place, and remembers as what it came."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.methods.append(cast("HTTPScope", scope)["method"])
        cast("dict[str, Any]", scope)["path_template"] = ROUTE
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def nothing(*_: Message) -> Any:
    """Receive or send nothing."""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_head_is_handled_as_get_and_those_around_know_method_and_route(method: str) -> None:
    app = Routed()
    scope = cast("HTTPScope", {"type": "http", "method": method, "path": "/x", "raw_path": b"/x", "headers": []})

    await Frame(app, {}, 1000)(scope, nothing, nothing)

    assert app.methods == ["GET"]
    assert (scope["method"], route_of(scope)) == (method, ROUTE.replace(":str", ""))
