"""What does every handler need? The stages, the stores, and on whose behalf the request acts."""

from __future__ import annotations

from typing import Annotated, Any, cast

import msgspec
from litestar import Request
from litestar.params import PathParameter

from healing_eval.api.headers import Headers
from healing_eval.formats.limits import WireLimits
from healing_eval.pipeline.access import PROJECT_HEADER, Access, Principal
from healing_eval.pipeline.ingest import Ingest
from healing_eval.ports.catalog import Scope
from healing_eval.wiring import Services

AnyRequest = Request[Any, Any, Any]

Named = Annotated[
    str,
    PathParameter(description="The conversation's id, percent-encoded, or the 26 characters of its key."),
]
"""A path segment that names a conversation; `addresses` packs and unpacks it."""

_BEARER = "bearer "
_PROJECT_HEADER = PROJECT_HEADER.lower().encode()


class Context(msgspec.Struct, frozen=True):
    """The application's own objects."""

    services: Services
    access: Access
    ingest: Ingest
    wire_limits: WireLimits

    @classmethod
    def of(cls, services: Services) -> Context:
        """Set up the stages over the services."""
        limits = services.settings.limits
        wire_limits = WireLimits(batch=limits.batch, turns=limits.turns, id_characters=limits.id_characters)
        return cls(
            services=services,
            access=Access(services.catalog, project_characters=limits.id_characters),
            ingest=Ingest(
                services.ledger,
                services.stream,
                services.panel.lanes_in_use,
                services.panel.first_lanes,
                wire_limits,
                tracer=services.tracer,
            ),
            wire_limits=wire_limits,
        )


def context_of(request: AnyRequest) -> Context:
    """Give the context of the application that got the request."""
    return cast("Context", request.app.state.context)


async def allow(request: AnyRequest, *any_of: Scope) -> Principal:
    """Find out who asks, and refuse who may not.

    Raises:
        AccessDenied: there is no valid key where one is needed, or it has none of the scopes.
        InvalidInput: the project header names nothing.
    """
    return await permitted(context_of(request).access, Headers(request.scope), *any_of)


async def permitted(access: Access, headers: Headers, *any_of: Scope) -> Principal:
    """Do what `allow` does, for the headers of a request."""
    presented = headers.get(b"x-api-key", None)
    authorization = headers.get(b"authorization", "")
    if presented is None and authorization[: len(_BEARER)].lower() == _BEARER:
        presented = authorization[len(_BEARER) :].strip()
    principal = await access.authenticate(presented, headers.get(_PROJECT_HEADER, None))
    principal.require(*any_of)
    return principal
