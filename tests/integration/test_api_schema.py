"""Does the API keep what its OpenAPI promises, whatever is sent?"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from tests.integration.conftest import Client, RunningServer

load_all_checks()
PROMISES = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "unsupported_method",
    )
]


OPERATIONS = [
    "send_conversations",
    "list_conversations",
    "get_conversation",
    "get_conversation_body",
    "send_feedback",
    "get_evaluations",
    "query_evaluations",
    "healthz",
    "readyz",
    "metrics",
]


@pytest.fixture(scope="session")
def described(server: RunningServer) -> Any:
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/schema/openapi.json")


def test_every_operation_is_tried(described: Any) -> None:
    found = [operation.ok().definition.raw["operationId"] for operation in described.get_all_operations()]

    assert sorted(found) == sorted(OPERATIONS)


def test_what_may_be_asked_is_described_as_it_is_read(server: RunningServer) -> None:
    document = Client(server).get("/schema/openapi.json").json

    query = document["components"]["schemas"]["EvaluationQuery"]["properties"]
    assert query["outcome"]["anyOf"] == [
        {"type": "array", "items": {"enum": ["fail", "pass", "unknown"]}, "maxItems": 1000},
        {"enum": ["fail", "pass", "unknown"]},
    ]
    assert {"type": "string", "format": "date"} in query["evaluated_from"]["anyOf"]
    assert "tool_failure" in query["issue_types"]["anyOf"][1]["enum"]
    listing = {one["name"]: one["schema"] for one in document["paths"]["/api/v1/conversations"]["get"]["parameters"]}
    assert "failed" in listing["status"]["items"]["enum"]
    assert (listing["limit"]["minimum"], listing["limit"]["maximum"]) == (1, 100)
    assert listing["cursor"] == {"type": "string"}


def test_what_a_model_cost_is_described_as_a_number_that_may_be_missing(server: RunningServer) -> None:
    use = Client(server).get("/schema/openapi.json").json["components"]["schemas"]["ModelUse"]

    assert {"type": "number"} in use["properties"]["cost_dollars"]["anyOf"]
    assert use["required"] == ["model"]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_every_answer_is_one_that_the_description_promises(
    described: Any, operation_id: str, mode: GenerationMode
) -> None:
    operation = described.find_operation_by_id(operation_id)

    @settings(
        max_examples=8 if operation_id == "send_conversations" else 30,  # generating batches is slow
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def keeps_its_promise(case: Any) -> None:
        case.call_and_validate(checks=PROMISES)

    if mode is GenerationMode.POSITIVE or takes_anything(operation):
        keeps_its_promise()


def takes_anything(operation: Any) -> bool:
    return bool(operation.body or operation.query)
