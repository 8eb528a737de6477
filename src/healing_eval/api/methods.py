"""Which route is a request for, and which methods does a path take?

HEAD wherever it takes GET, with the same headers and no body, since load balancers probe so; and `Allow` names all,
whether somebody asked with OPTIONS or was refused with 405.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import cast

from litestar.types import HTTPResponseStartEvent, HTTPScope, Scope

Methods = dict[str, frozenset[str]]
"""From a path's template to what its handlers take."""

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes that machines call every few seconds: logged as debug events, and without a span."""


KNOWN = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
"""All there are; a client may send any other word, and content among them."""


def allowed(methods: Iterable[str]) -> str:
    """Write an `Allow` header."""
    named = set(methods)
    return ", ".join(sorted(named | {"HEAD"} if "GET" in named else named))


def as_get(scope: HTTPScope) -> HTTPScope:
    """Have HEAD handled as GET; the server knows what was asked, and leaves the body out."""
    return cast("HTTPScope", {**scope, "method": "GET"}) if scope["method"] == "HEAD" else scope


def tell_methods(message: HTTPResponseStartEvent, methods: Iterable[str]) -> None:
    """Replace `Allow` in the answer to OPTIONS; the framework's own names the first handler's methods only."""
    headers = [(name, value) for name, value in message["headers"] if name.lower() != b"allow"]
    message["headers"] = [*headers, (b"allow", allowed(methods).encode())]


def path_template(scope: HTTPScope) -> str | None:
    """Give the template of the path that was routed to; None if there was none."""
    return cast("dict[str, str | None]", scope).get("path_template")


def tell_route(outer: Scope, scope: HTTPScope) -> None:
    """Tell those around, who know the request as it came, where it was routed to."""
    cast("dict[str, str | None]", outer)["path_template"] = path_template(scope)


def route_of(scope: HTTPScope) -> str | None:
    """Give the path that was routed to as the OpenAPI writes it; None if there was none."""
    template = path_template(scope)
    return None if template is None else _without_types(template)


@lru_cache(maxsize=256)
def _without_types(template: str) -> str:
    return template.replace(":str}", "}")
