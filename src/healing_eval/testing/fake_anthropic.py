"""How does Anthropic's messages API answer? The part of `FakeModel` that speaks it, as strict as the real one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

PATH = "/v1/messages"
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}

Reply = tuple[int, Any]


def refusal(headers: Mapping[str, str], payload: dict[str, Any], mode: str) -> Reply | None:
    """Say what is wrong with a request, or fail as `mode` says; None if it is to be answered."""
    if mode.isdigit():
        return refused(int(mode), f"fault {mode}")
    if not headers.get("x-api-key"):
        return refused(401, "x-api-key header is required")
    if not headers.get("anthropic-version"):
        return refused(400, "anthropic-version: header is required")
    problem = _problem(payload)
    if problem is None and mode == "no_forced_tool" and payload.get("tool_choice", {}).get("type") == "tool":
        problem = "Thinking may not be enabled when tool_choice forces tool use."
    if problem is None and mode == "no_temperature" and "temperature" in payload:
        problem = "`temperature` is deprecated for this model."
    if problem is not None:
        return refused(400, problem)
    return (200, {"hello": "world"}) if mode == "not_chat" else None


def as_chat(payload: dict[str, Any]) -> list[dict[str, str]]:
    """Give the prompt as messages of which the first is the system's."""
    system: str | list[dict[str, str]] = payload.get("system") or []
    fixed = system if isinstance(system, str) else "\n".join(block["text"] for block in system)
    return [{"role": "system", "content": fixed}, *payload["messages"]]


def message(payload: dict[str, Any], text: str, mode: str) -> dict[str, Any]:
    """Write what the model says: as the arguments of the tool it is forced to use, if they can be that."""
    prompt_tokens = sum(len(one["content"]) for one in as_chat(payload)) // 4
    usage: dict[str, Any] = {"input_tokens": prompt_tokens, "output_tokens": len(text) // 4}
    if mode == "cached":
        half, quarter = prompt_tokens // 2, prompt_tokens // 4
        usage |= {
            "input_tokens": prompt_tokens - half - quarter,
            "cache_read_input_tokens": half,
            "cache_creation_input_tokens": quarter,
        }
    if mode == "odd_usage":
        usage = {"input_tokens": -1, "output_tokens": 10**30, "cache_read_input_tokens": "few"}
    content, stop_reason = _content(payload, text, mode)
    return {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": "fake-1",
        "content": content,
        "stop_reason": "refusal" if mode == "refuses" else stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _content(payload: dict[str, Any], text: str, mode: str) -> tuple[list[dict[str, Any]], str]:
    if mode == "parts":
        return [{"type": "text", "text": part} for part in (text[:9], text[9:])], "end_turn"
    forced = payload.get("tool_choice", {}).get("name")
    said = None if mode == "huge" else _object_in(text)
    if forced and said is not None:
        return [{"type": "tool_use", "id": "toolu_fake", "name": forced, "input": said}], "tool_use"
    return [{"type": "text", "text": text}], "end_turn"


def _object_in(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", document) if isinstance(document, dict) else None


def _problem(payload: dict[str, Any]) -> str | None:
    tools = {tool.get("name") for tool in payload.get("tools", [])}
    forced = payload.get("tool_choice", {}).get("name")
    rules: list[tuple[Callable[[], bool], str]] = [
        (lambda: isinstance(payload.get("model"), str), "model: Field required"),
        (lambda: isinstance(payload.get("max_tokens"), int), "max_tokens: Field required"),
        (lambda: bool(payload.get("messages")), "messages: at least one message is required"),
        (
            lambda: all(one["role"] in {"user", "assistant"} for one in payload["messages"]),
            "messages: Unexpected role. Use the top-level `system` parameter",
        ),
        (lambda: payload["messages"][0]["role"] == "user", "messages: first message must use the user role"),
        (lambda: "response_format" not in payload, "response_format: Extra inputs are not permitted"),
        (lambda: forced is None or forced in tools, f"tool_choice: tool '{forced}' not found in provided tools"),
        (
            lambda: all(tool["input_schema"].get("type") == "object" for tool in payload.get("tools", [])),
            "tools.0.input_schema.type: Field required",
        ),
    ]
    return next((said for holds, said in rules if not holds()), None)


def refused(status: int, said: str) -> Reply:
    """Write an error as Anthropic does."""
    return status, {"type": "error", "error": {"type": ERRORS.get(status, "api_error"), "message": said}}
