"""Which tools could the agent call, which did it call, and what did they answer?"""

from typing import Any

import pytest

from healing_eval.domain.conversation import ToolDefinition
from healing_eval.errors import InvalidInput
from healing_eval.formats.tools import read_arguments, read_calls, read_definitions, read_result

SCHEMA = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("sent", "definition"),
    [
        (
            {"type": "function", "function": {"name": "t", "description": "d", "parameters": SCHEMA}},
            ToolDefinition("t", "d", SCHEMA),
        ),
        ({"name": "t", "description": "d", "parameters": SCHEMA}, ToolDefinition("t", "d", SCHEMA)),
        ({"name": "t", "description": None, "input_schema": SCHEMA}, ToolDefinition("t", "", SCHEMA)),
        ({"type": "web_search"}, ToolDefinition("web_search")),
        ("t", ToolDefinition("t")),
    ],
)
def test_every_form_of_definition_is_read(sent: Any, definition: ToolDefinition) -> None:
    assert read_definitions([sent]) == (definition,)


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        (5, "/0"),
        ({"function": {}}, "/0/function/name"),
        ({"name": "t", "input_schema": 5}, "/0/input_schema"),
        ({"name": "t", "description": 5}, "/0/description"),
    ],
)
def test_a_definition_without_sense_is_refused(sent: Any, pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_definitions([sent])

    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    "sent",
    [
        {"tool_name": "t", "parameters": {"a": 1}, "call_id": "k"},
        {"tool_name": "t", "parameters": '{"a": 1}', "id": "k"},
        {"name": "t", "arguments": {"a": 1}, "id": "k"},
        {"id": "k", "type": "function", "function": {"name": "t", "arguments": '{"a": 1}'}},
        {"id": "k", "type": "function", "function": {"name": "t", "arguments": {"a": 1}}},
    ],
)
def test_every_form_of_call_is_read(sent: dict[str, Any]) -> None:
    (call,) = read_calls([sent])

    assert (call.tool_name, call.parameters, call.call_id, call.result) == ("t", {"a": 1}, "k", None)


@pytest.mark.parametrize(
    ("sent", "malformed"),
    [
        ('{"a": 1', '{"a": 1'),
        ("[1]", "[1]"),
        ([1, 2], "[1,2]"),
        (5, "5"),
        ('{"a":' + "[" * 3000 + "]" * 3000 + "}", '{"a":' + "[" * 3000 + "]" * 3000 + "}"),
        ('{"a":' + "[" * 250 + "]" * 250 + "}", '{"a":' + "[" * 250 + "]" * 250 + "}"),
    ],
)
def test_arguments_that_are_no_object_are_kept_as_the_model_wrote_them(sent: Any, malformed: str) -> None:
    assert read_arguments(sent) == ({}, malformed)


@pytest.mark.parametrize("sent", [None, "", {}, "{}"])
def test_no_arguments_are_no_mistake(sent: Any) -> None:
    assert read_arguments(sent) == ({}, None)


def test_nul_in_arguments_as_text_is_replaced_too() -> None:
    assert read_arguments(r'{"a": "\u0000"}') == ({"a": "\ufffd"}, None)


@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        ({"status": "success", "flights": []}, "success", None),
        ({"status": "success", "error": None}, "success", None),
        ({"status": "success", "error": ""}, "success", None),
        ({"error": False, "ok": True}, None, None),
        ({"status": "cancelled", "order": 1}, "cancelled", None),
        ({"status": 404}, None, None),
        ({"error": "no such city"}, None, "no such city"),
        ({"status": "success", "error": "late"}, "success", "late"),
        ({"error": {"code": 5, "message": "bad date"}}, None, "bad date"),
        ({"error": {"code": 5}}, None, '{"code":5}'),
        ({"error": True, "detail": "why"}, None, "why"),
        ({"error": True}, None, "error"),
        ({"status": "Timed out"}, "Timed out", "Timed out"),
        ({"status": "error", "message": "why"}, "error", "why"),
        ({"success": False}, None, "error"),
        ({"ok": False, "reason": "why"}, None, "why"),
        ({"isError": True}, None, "error"),
        ({"is_error": True}, None, "error"),
        ("Error: no such order", None, "Error: no such order"),
        ("error", None, "error"),
        ("Traceback (most recent call last):\n x", None, "Traceback (most recent call last):\n x"),
        ("Errors found: 0", None, None),
        ("fine", None, None),
        ([{"error": "x"}], None, None),
        (False, None, None),
        (0, None, None),
    ],
)
def test_a_result_failed_when_it_says_so_and_nothing_of_it_is_lost(
    sent: Any, status: str | None, error: str | None
) -> None:
    result = read_result(sent)

    assert result is not None
    assert (result.value, result.status, result.error) == (sent, status, error)


def test_null_is_no_result() -> None:
    assert read_result(None) is None
