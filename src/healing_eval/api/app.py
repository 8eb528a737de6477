"""What answers over HTTP? The application, from its parts."""

from __future__ import annotations

from typing import Any

from litestar import Litestar
from litestar.datastructures import State

from healing_eval.api.context import Context
from healing_eval.api.conversations import Conversations
from healing_eval.api.document import config
from healing_eval.api.evaluations import Evaluations
from healing_eval.api.frame import Frame
from healing_eval.api.operations import healthz, metrics, readyz
from healing_eval.api.problems import answer_problem
from healing_eval.api.sending import Sending
from healing_eval.api.tracing import Traced
from healing_eval.wiring import Services


def create_app(services: Services) -> Litestar:
    """Make the application; whoever calls opens and closes the services, before and after it serves."""
    context = Context.of(services)
    app = _framework(context, [Conversations, Evaluations, healthz, readyz, metrics])
    app.asgi_handler = Sending(context, app.asgi_handler)
    return _framed(app, services)


def create_operations_app(services: Services) -> Litestar:
    """Make what a process without an API answers: health, readiness, metrics."""
    return _framed(_framework(Context.of(services), [healthz, readyz, metrics]), services)


def _framework(context: Context, handlers: list[Any]) -> Litestar:
    return Litestar(
        route_handlers=handlers,
        state=State({"context": context}),
        exception_handlers={Exception: answer_problem},
        openapi_config=config(),
        logging_config=None,
        debug=False,
        request_max_body_size=None,  # `body` counts, with a message that names the setting
    )


def _framed(app: Litestar, services: Services) -> Litestar:
    methods = {route.path_format: frozenset(map(str, route.methods)) for route in app.routes}
    app.asgi_handler = Frame(app.asgi_handler, methods, services.settings.limits.body_bytes)
    if services.tracer is not None:
        app.asgi_handler = Traced(app.asgi_handler, services.tracer)
    return app
