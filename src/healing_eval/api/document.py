"""What does the OpenAPI document say that the handlers' types do not?

Litestar writes paths, parameters and responses. Added here, when the document is first asked for: the bodies that
handlers read as bytes, exact schemas of all our types with their attribute docstrings, and the problems that every
operation may answer with.
"""

from __future__ import annotations

import ast
import inspect
from typing import Any

import msgspec
from litestar import Request, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from healing_eval import __version__
from healing_eval.api import problems, views, wire
from healing_eval.api.asked import parameters_of, widen_query
from healing_eval.domain import annotation, conversation, evaluation
from healing_eval.domain import query as queries
from healing_eval.pipeline import annotate, ingest
from healing_eval.pipeline.access import DEFAULT_PROJECT, PROJECT_HEADER

PATH = "/schema"
_REF = "#/components/schemas/{name}"
_BODIES: dict[str, tuple[type, tuple[str, ...]]] = {
    "send_conversations": (wire.SentBatch, ("application/json",)),
    "send_feedback": (wire.SentFeedback, ("application/json",)),
    "query_evaluations": (queries.EvaluationQuery, ("application/json",)),
}
_NDJSON = {"schema": {"type": "string", "description": "One conversation on each line, shaped as in the envelope."}}
_PROJECT = {
    "name": PROJECT_HEADER,
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[A-Za-z0-9._-]+$"},
    "description": f"The project, while the server has no API keys, by default {DEFAULT_PROJECT}; else the key says.",
}
_ROOTS = (
    views.ConversationPage,
    views.ConversationDetail,
    views.EvaluatedPage,
    views.Health,
    ingest.IngestAnswer,
    annotate.FeedbackAnswer,
    problems.Problem,
    queries.ConversationFilter,
    *(body for body, _ in _BODIES.values()),
)
_MODULES = (views, wire, problems, ingest, annotate, conversation, evaluation, annotation, queries)
_STATUSES = ("400", "401", "403", "404", "413", "415", "422", "500", "503")


class Document(OpenAPIRenderPlugin):
    """Serves the completed document as JSON, at `/schema` and `/schema/openapi.json`."""

    def __init__(self) -> None:
        super().__init__(path=["/", "/openapi.json"], media_type="application/json")  # type: ignore[arg-type]
        self._written: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Complete the document once, then serve it from memory."""
        if self._written is None:
            self._written = msgspec.json.encode(complete(openapi_schema))
        return self._written

    def receive_router(self, router: Router) -> None:
        """Take out Litestar's own page for what is not there, which is HTML; ours are problems."""
        router.routes = [route for route in router.routes if not route.path_parameters]


def config() -> OpenAPIConfig:
    """Say what the document is about, and how requests prove who sends them."""
    return OpenAPIConfig(
        title="Healing Eval",
        version=__version__,
        description="Send the conversations of AI agents, get verdicts. A server without API keys needs none.",
        path=PATH,
        use_handler_docstrings=True,
        render_plugins=[Document()],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer", description="he_<key id>_<secret>"),
                "apiKey": SecurityScheme(type="apiKey", name="x-api-key", security_scheme_in="header"),
            }
        ),
        security=[{}, {"bearer": []}, {"apiKey": []}],
    )


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add what Litestar cannot know."""
    _, schemas = msgspec.json.schema_components(_ROOTS, ref_template=_REF)
    for name, schema in schemas.items():
        _describe(name, schema)
    widen_query(schemas["EvaluationQuery"])
    filter_schema = schemas.pop("ConversationFilter")
    document["components"].setdefault("schemas", {}).update(schemas)
    for path in document["paths"].values():
        for operation in path.values():
            if operation["operationId"] == "list_conversations":
                operation["parameters"] = parameters_of(filter_schema)
            _complete_operation(operation)
    return document


def _complete_operation(operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    body = _BODIES.get(name)
    if body is not None:
        shape, media_types = body
        content: dict[str, Any] = {one: {"schema": _ref(shape)} for one in media_types}
        if name == "send_conversations":
            content["application/x-ndjson"] = _NDJSON
        operation["requestBody"] = {"required": True, "content": content}
    if "operations" not in operation["tags"]:
        operation.setdefault("parameters", []).append(_PROJECT)
    responses: dict[str, Any] = operation["responses"]
    responses.pop("400", None)  # Litestar's own shape of an error, which we do not answer with
    for status in _STATUSES:
        responses[status] = {"description": "Refused or failed.", "content": {problems.MEDIA_TYPE: _problem()}}
    if name == "send_conversations":
        responses["429"] = {**responses["503"], "description": "Too much waits for evaluation; see `Retry-After`."}
        responses["422"]["description"] = "No item could be taken, or the body as a whole could not be read."
        responses["422"]["content"]["application/json"] = {"schema": _ref(ingest.IngestAnswer)}
    if name == "metrics":
        responses["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    if name == "get_conversation_body":
        responses["200"]["content"] = {"application/json": {"schema": {"type": "object"}}}


def _problem() -> dict[str, Any]:
    return {"schema": _ref(problems.Problem)}


def _ref(shape: type) -> dict[str, str]:
    return {"$ref": _REF.format(name=shape.__name__)}


def _describe(name: str, schema: dict[str, Any]) -> None:
    """Copy a class's attribute docstrings to its properties."""
    shape = next((getattr(module, name) for module in _MODULES if hasattr(module, name)), None)
    if shape is None:
        return
    for field, description in _attribute_docstrings(shape).items():
        if field in schema.get("properties", {}):
            schema["properties"][field] = {**schema["properties"][field], "description": description}


def _attribute_docstrings(shape: type) -> dict[str, str]:
    """Read the strings that stand under the fields of a class."""
    found: dict[str, str] = {}
    field: str | None = None
    for node in ast.parse(inspect.getsource(shape)).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            field = node.target.id
            continue
        if field and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[field] = inspect.cleandoc(str(node.value.value)).replace("\n", " ")
        field = None
    return found
