"""Which tools could the agent call, which did it call, and what did they answer?

Definitions come as OpenAI's `{"type": "function", "function": {…}}`, bare `{name, description, parameters}`, or with
Anthropic's `input_schema`. Calls come as `{tool_name, parameters}` or as OpenAI's `{id, function: {name, arguments}}`,
with arguments as an object or as its JSON text.

A result failed when it says so itself: `error` is neither null, false nor empty; `status` is a word of failure;
`success` or `ok` is false; `isError` or `is_error` is true (MCP, Anthropic); or it is text that begins with "Error" or
a Python traceback. A numeric `status` means nothing: 404 may be a count.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from healing_eval.domain.conversation import ToolCall, ToolDefinition, ToolResult
from healing_eval.errors import InvalidInput
from healing_eval.formats.fields import as_array, as_number, as_object, as_text, inside, parse_json, within, wrong
from healing_eval.formats.plain import PlainCall

ERROR_STATUSES = frozenset({"error", "errored", "fail", "failed", "failure", "exception", "timeout", "timed_out"})
"""What `status` says, in lower case with `_` for space and `-`, when the call failed.

Words such as "cancelled" or "denied" are left out: an order that was looked up may well be cancelled."""

_FLAGS = frozenset({"success", "ok", "isError", "is_error"})
_EXPLANATIONS = ("message", "error_message", "detail", "reason", "description")


def read_definitions(value: Any, pointer: str = "") -> tuple[ToolDefinition, ...]:
    """Read `tools`."""
    definitions: list[ToolDefinition] = []
    for index, raw in enumerate(as_array(value, pointer)):
        try:
            definitions.append(_read_definition(raw))
        except InvalidInput as error:
            raise within(f"{pointer}/{index}", error) from None
    return tuple(definitions)


def _read_definition(raw: Any) -> ToolDefinition:
    if isinstance(raw, str):
        return ToolDefinition(name=_tool_name(raw, ""))
    table = as_object(raw)
    if table.get("function") is not None:
        with inside("/function"):
            return _read_definition(as_object(table["function"]))
    name = table.get("name")
    if name is None and table.get("type") not in (None, "function"):
        name = table["type"]  # a tool built into the provider has a type and no name
    schema = table.get("parameters")
    place = "/parameters"
    if schema is None:
        schema, place = table.get("input_schema"), "/input_schema"
    description = table.get("description")
    return ToolDefinition(
        name=_tool_name(name, "/name"),
        description="" if description is None else as_text(description, "/description"),
        parameters=None if schema is None else as_object(schema, place),
    )


def read_calls(value: Any, pointer: str = "/tool_calls") -> tuple[ToolCall, ...]:
    """Read the `tool_calls` of one turn."""
    if not value:
        if value is None or value == []:
            return ()
        raise wrong("an array", value, pointer=pointer)
    calls: list[ToolCall] = []
    for index, raw in enumerate(as_array(value, pointer)):
        try:
            calls.append(_read_call(raw))
        except InvalidInput as error:
            raise within(f"{pointer}/{index}", error) from None
    return tuple(calls)


def _read_call(raw: Any) -> ToolCall:
    table = as_object(raw)
    function = table.get("function")
    if function is not None:
        body = as_object(function, "/function")
        name, arguments = _tool_name(body.get("name"), "/function/name"), body.get("arguments")
    else:
        key = "tool_name" if table.get("tool_name") is not None or table.get("name") is None else "name"
        name = _tool_name(table.get(key), f"/{key}")
        arguments = table.get("parameters")
        if arguments is None:
            arguments = table.get("arguments")
    parameters, malformed = read_arguments(arguments)
    latency, call_id = table.get("latency_ms"), table.get("call_id")
    place = "/call_id"
    if call_id is None:
        call_id, place = table.get("id"), "/id"
    if call_id is not None and type(call_id) is not str:
        call_id = _numeric_id(call_id, place)
    return ToolCall(
        name,
        parameters,
        read_result(table.get("result")),
        None if latency is None else as_number(latency, "/latency_ms", low=0),
        call_id,
        malformed,
    )


def read_plain_call(call: PlainCall) -> ToolCall:
    """Read a call in which everything has the type it should have."""
    parameters, malformed = read_arguments(call.arguments if call.parameters is None else call.parameters)
    call_id = call.id if call.call_id is None else call.call_id
    return ToolCall(
        call.tool_name,
        parameters,
        read_result(call.result),
        call.latency_ms,
        call_id if call_id is None or type(call_id) is str else str(call_id),
        malformed,
    )


def _numeric_id(value: Any, pointer: str) -> str:
    if type(value) is not int:
        raise wrong("a string", value, pointer=pointer)
    return str(value)


def _tool_name(value: Any, pointer: str) -> str:
    if value is None:
        raise InvalidInput("is missing; expected the name of the tool", pointer=pointer)
    if not as_text(value, pointer).strip():
        raise wrong("the name of the tool", value, pointer=pointer)
    return value


def read_arguments(value: Any) -> tuple[dict[str, Any], str | None]:
    """Read the arguments of a call.

    A model that writes no JSON object has made a mistake that is worth evaluating, so it is kept, not refused.

    Returns:
        The arguments, and the text that stood there when it was no JSON object.
    """
    if value is None or value == "":
        return {}, None
    if isinstance(value, dict):
        return cast("dict[str, Any]", value), None
    if not isinstance(value, str):
        return {}, msgspec.json.encode(value).decode()
    try:
        parsed = parse_json(value)
    except ValueError:
        return {}, value
    return (cast("dict[str, Any]", parsed), None) if isinstance(parsed, dict) else ({}, value)


def read_result(value: Any) -> ToolResult | None:
    """Read what a tool answered, any JSON; None when the log holds no result."""
    if value is None:
        return None
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        status = table.get("status")
        return ToolResult(value=table, status=status if isinstance(status, str) else None, error=_error_in(table))
    if isinstance(value, str):
        return ToolResult(value=value, error=value if _begins_with_error(value) else None)
    return ToolResult(value=value)


def _error_in(table: dict[str, Any]) -> str | None:
    error = table.get("error")
    if error and error is not True:
        return _error_text(error)
    status = table.get("status")
    if error or _says_failure(status) or _flag_says_failure(table):
        return _explanation(table) or (status if isinstance(status, str) and status else "error")
    return None


def _says_failure(status: Any) -> bool:
    if not isinstance(status, str) or status == "success":  # as nearly always
        return False
    return status.strip().lower().replace(" ", "_").replace("-", "_") in ERROR_STATUSES


def _flag_says_failure(table: dict[str, Any]) -> bool:
    if _FLAGS.isdisjoint(table):
        return False
    denied = table.get("success") is False or table.get("ok") is False
    return denied or table.get("isError") is True or table.get("is_error") is True


def _error_text(error: Any) -> str:
    if isinstance(error, str):
        return error
    if isinstance(error, dict):
        explained = _explanation(cast("dict[str, Any]", error))
        if explained:
            return explained
    return msgspec.json.encode(error).decode()


def _explanation(table: dict[str, Any]) -> str | None:
    return next((text for name in _EXPLANATIONS if isinstance(text := table.get(name), str) and text), None)


def _begins_with_error(text: str) -> bool:
    start = text[:64].lstrip()
    if start.startswith("Traceback (most recent call last)"):
        return True
    return start[:5].lower() == "error" and not start[5:6].isalnum()
