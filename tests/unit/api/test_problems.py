from __future__ import annotations

import json
from typing import Any, cast

import pytest
from litestar import Request
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import HTTPScope

from healing_eval.api.noted import noted
from healing_eval.api.problems import MEDIA_TYPE, answer_problem
from healing_eval.errors import (
    AccessDenied,
    BackendError,
    ConfigError,
    InvalidInput,
    InvalidParameter,
    LimitExceeded,
    NotFound,
    NotJson,
)


def a_request() -> Request[Any, Any, Any]:
    return Request(cast("HTTPScope", {"type": "http"}))


def answered(error: Exception, request: Request[Any, Any, Any] | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    response = answer_problem(request or a_request(), error)
    assert response.media_type == MEDIA_TYPE
    problem = json.loads(response.content)
    assert problem["status"] == response.status_code
    return problem, dict(response.headers)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("is wrong"), 422),
        (InvalidParameter("is wrong", parameter="limit"), 422),
        (NotJson("is none"), 400),
        (LimitExceeded("is too long"), 413),
        (NotFound("none of this name"), 404),
        (AccessDenied("needs read", authenticated=True), 403),
        (AccessDenied("a key is needed", authenticated=False), 401),
        (BackendError("host secret is down"), 503),
        (ConfigError("not the client's business: secret"), 500),
        (ZeroDivisionError("secret"), 500),
        (NotFoundException(), 404),
        (MethodNotAllowedException(headers={"allow": "GET"}), 405),
    ],
)
def test_every_error_has_a_status_and_tells_no_secret(error: Exception, status: int) -> None:
    problem, _ = answered(error)

    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert "secret" not in json.dumps(problem)


def test_a_refusal_says_what_and_where() -> None:
    problem, _ = answered(InvalidInput("expected a number", pointer="/limit"))

    assert (problem["pointer"], problem["detail"]) == ("/limit", "expected a number")
    assert "pointer" not in answered(InvalidInput("is no JSON"))[0]


def test_a_refused_parameter_is_named() -> None:
    problem, _ = answered(InvalidParameter("expected a number", parameter="limit"))

    assert problem["detail"] == "limit: expected a number"
    assert problem["errors"] == [{"parameter": "limit", "reason": "expected a number"}]


def test_headers_say_what_to_do() -> None:
    assert answered(AccessDenied("who?", authenticated=False))[1]["WWW-Authenticate"] == "Bearer"
    assert int(answered(BackendError("down"))[1]["Retry-After"]) > 0


def test_a_fault_of_ours_is_noted_by_class_and_place() -> None:
    request = a_request()
    try:
        raise ZeroDivisionError("the user's secret")
    except ZeroDivisionError as error:
        problem, _ = answered(error, request)

    line = noted(request.scope)
    assert (line["kind"], line["error_id"]) == ("ZeroDivisionError", problem["error_id"])
    assert "test_problems" in line["place"]
    assert "secret" not in str(line)


def test_of_a_server_that_fails_it_is_noted_what_it_said() -> None:
    request = a_request()

    answered(BackendError("the disk is full"), request)

    assert noted(request.scope) == {"kind": "BackendError", "error": "the disk is full"}
