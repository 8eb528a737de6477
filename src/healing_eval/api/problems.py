"""What does the client hear when something goes wrong? Problem details (RFC 9457), for everything, never internals."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import Scope

from healing_eval.api.methods import allowed
from healing_eval.api.noted import note
from healing_eval.errors import (
    AccessDenied,
    BackendError,
    BacklogFull,
    HealingEvalError,
    InvalidInput,
    InvalidParameter,
    LimitExceeded,
    NotFound,
    NotJson,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
BACKLOG_RETRY_AFTER_SECONDS = 10


class ParameterProblem(msgspec.Struct, frozen=True):
    """One parameter that was refused."""

    parameter: str
    reason: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was refused or failed."""

    type: str
    """A URN that names the kind of problem, stable across versions; about:blank when the status says it all."""
    title: str
    """The kind of problem, in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What was wrong with this request, and what was expected."""
    pointer: str | None = None
    """JSON Pointer (RFC 6901) to the offending value in the request's body."""
    errors: tuple[ParameterProblem, ...] = ()
    """The parameters of the query string that were refused."""
    error_id: str | None = None
    """Names the event in the server's log, for faults of the server."""


class Answer(msgspec.Struct, frozen=True):
    """What the client gets."""

    problem: Problem
    headers: Mapping[str, str] = {}

    @property
    def content(self) -> bytes:
        """The problem, as `MEDIA_TYPE`."""
        return msgspec.json.encode(self.problem)


class _Kind(msgspec.Struct, frozen=True):
    status: int
    name: str
    title: str


_KINDS: dict[type[HealingEvalError], _Kind] = {
    LimitExceeded: _Kind(413, "limit-exceeded", "Over a limit"),
    NotJson: _Kind(400, "not-json", "No JSON"),
    InvalidInput: _Kind(422, "invalid-input", "Invalid input"),
    AccessDenied: _Kind(403, "access-denied", "Access denied"),
    NotFound: _Kind(404, "not-found", "Not found"),
    BacklogFull: _Kind(429, "backlog-full", "Too much waits"),
    BackendError: _Kind(503, "unavailable", "A server behind this one does not answer"),
}
"""From the class of an error to what the client hears; the most exact class in an error's ancestry counts."""


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Turn any error into the framework's answer."""
    answer = answer_of(request.scope, error)
    status, headers = answer.problem.status, dict(answer.headers)
    return Response(answer.content, media_type=MEDIA_TYPE, status_code=status, headers=headers)


def answer_of(scope: Scope, error: Exception) -> Answer:
    """Turn any error into an answer, and note for the log what is not the client's fault."""
    if isinstance(error, HTTPException):
        return Answer(_http_problem(scope, error), _headers_of(error))
    kind = next((_KINDS[cls] for cls in type(error).__mro__ if cls in _KINDS), None)
    if kind is None:
        return Answer(_fault(scope, error))
    if isinstance(error, AccessDenied) and not error.authenticated:
        unknown = Problem(type=_urn("unauthenticated"), title="API key needed", status=401, detail=str(error))
        return Answer(unknown, {"WWW-Authenticate": "Bearer"})
    if isinstance(error, BackendError):
        note(scope, kind=type(error).__name__, error=str(error))
        detail = "nothing of this request is stored; the same request may succeed later"
        return Answer(_problem(kind, detail), {"Retry-After": str(RETRY_AFTER_SECONDS)})
    if isinstance(error, BacklogFull):
        return Answer(_problem(kind, str(error)), {"Retry-After": str(BACKLOG_RETRY_AFTER_SECONDS)})
    if isinstance(error, InvalidParameter):
        return Answer(_parameter_problem(kind, error))
    if isinstance(error, InvalidInput):
        return Answer(_problem(kind, error.reason, error.pointer or None))
    return Answer(_problem(kind, str(error)))


def _problem(kind: _Kind, detail: str, pointer: str | None = None) -> Problem:
    return Problem(type=_urn(kind.name), title=kind.title, status=kind.status, detail=detail, pointer=pointer)


def _parameter_problem(kind: _Kind, error: InvalidParameter) -> Problem:
    refused = ParameterProblem(error.parameter, error.reason)
    problem = _problem(kind, f"{error.parameter}: {error.reason}")
    return msgspec.structs.replace(problem, errors=(refused,))


def _urn(name: str) -> str:
    return f"urn:healing-eval:problem:{name}"


def _http_problem(scope: Scope, error: HTTPException) -> Problem:
    status = HTTPStatus(error.status_code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _fault(scope, error)
    return Problem(type="about:blank", title=status.phrase, status=status.value, detail=_detail(error))


def _detail(error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "there is nothing at this path; the API is described at /schema"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"this path takes: {_headers_of(error).get('allow', 'other methods')}"
    return error.detail


def _headers_of(error: HTTPException) -> dict[str, str]:
    given = error.headers or {}
    if "allow" not in given:
        return given
    return given | {"allow": allowed(given["allow"].split(", "))}


def _fault(scope: Scope, error: Exception) -> Problem:
    """Say nothing but an id; the log knows the class and the place, and still no content."""
    error_id = secrets.token_hex(8)
    note(scope, error_id=error_id, kind=type(error).__name__, place=_place(error))
    return Problem(
        type="about:blank",
        title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        status=500,
        detail=f"a fault of the server, logged as {error_id}",
        error_id=error_id,
    )


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace is not None else ""
