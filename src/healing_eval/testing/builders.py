"""How does a test get a conversation? Builders with sensible defaults; say only what your test is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from healing_eval.domain.annotation import Annotation
from healing_eval.domain.conversation import (
    Conversation,
    Role,
    ToolCall,
    ToolDefinition,
    ToolResult,
    Turn,
    TurnId,
    conversation_key,
)
from healing_eval.domain.evaluation import Evaluation, Findings, Issue, ModelUse, ModelVote, Result, Score, issue
from healing_eval.domain.issue_types import ISSUE_TYPES
from healing_eval.domain.revision import Submission
from healing_eval.formats.item import LocalItem, read_item, read_local_item
from healing_eval.formats.limits import UNLIMITED

PROJECT = "default"


def a_tool_call(
    tool_name: str = "search_flights",
    parameters: dict[str, Any] | None = None,
    *,
    result: Any = None,
    error: str | None = None,
    latency_ms: float | None = 120.0,
) -> ToolCall:
    """Make a tool call that succeeded, or one that failed with `error`."""
    answer = {"flights": [{"flight": "LH 123", "price": 199}]} if result is None else result
    status = "success" if error is None else "error"
    value = {"status": status, "data": answer} if error is None else {"status": status, "error": error}
    return ToolCall(
        tool_name,
        {"to": "Lisbon", "date": "2024-05-17"} if parameters is None else parameters,
        ToolResult(value, status, error),
        latency_ms,
    )


def a_turn(
    turn_id: TurnId = 1,
    role: Role = "user",
    content: str = "Please find me a flight to Lisbon on May 17.",
    *,
    timestamp: datetime | None = None,
    tool_calls: Sequence[ToolCall] = (),
) -> Turn:
    """Make a turn of the user."""
    return Turn(turn_id, role, content, timestamp, tuple(tool_calls))


def turns_of(count: int, *, started_at: datetime | None = None, tool_errors: int = 0) -> tuple[Turn, ...]:
    """Make turns that alternate between user and assistant, each with a text of its own.

    Args:
        count: how many turns.
        started_at: time of the first turn, two seconds between turns; None leaves times out.
        tool_errors: in how many assistant turns, from the first on, a tool call fails.
    """
    made: list[Turn] = []
    for index in range(count):
        from_user = index % 2 == 0
        made.append(
            a_turn(
                index + 1,
                "user" if from_user else "assistant",
                f"Question {index + 1}: what about Lisbon?" if from_user else f"Answer {index + 1}: Lisbon is fine.",
                timestamp=started_at + timedelta(seconds=2 * index) if started_at else None,
                tool_calls=(a_tool_call(error="timeout"),) if not from_user and index < 2 * tool_errors else (),
            )
        )
    return tuple(made)


def a_conversation(  # noqa: PLR0913 - every part of a conversation can be said, all but two by keyword
    conversation_id: str = "c-1",
    turns: int | Sequence[Turn] = 2,
    *,
    project: str = PROJECT,
    agent_version: str = "v1",
    tools: Sequence[ToolDefinition] = (),
    system_prompt: str | None = None,
    complete: bool = True,
    tool_errors: int = 0,
    metadata: dict[str, Any] | None = None,
) -> Conversation:
    """Make a conversation.

    Args:
        conversation_id: its id.
        turns: the turns themselves, or how many to make up, the user's first.
        project: part of the key.
        agent_version: which agent spoke.
        tools: the tools in force.
        system_prompt: the agent's instructions.
        complete: False while more turns are expected.
        tool_errors: in how many of the made-up assistant turns a tool call fails.
        metadata: whatever the sender attached.
    """
    return Conversation(
        key=conversation_key(project, conversation_id),
        conversation_id=conversation_id,
        agent_version=agent_version,
        turns=turns_of(turns, tool_errors=tool_errors) if isinstance(turns, int) else tuple(turns),
        tools=tuple(tools),
        system_prompt=system_prompt,
        project=project,
        complete=complete,
        metadata=metadata or {},
    )


def wire_item(conversation: Conversation) -> dict[str, Any]:
    """Write a conversation as an item of `POST /api/v1/conversations`."""
    item: dict[str, Any] = {
        "conversation_id": conversation.conversation_id,
        "agent_version": conversation.agent_version,
        "turns": [_wire_turn(turn) for turn in conversation.turns],
    }
    if conversation.tools:
        item["tools"] = msgspec.to_builtins(conversation.tools)
    if conversation.system_prompt is not None:
        item["system_prompt"] = conversation.system_prompt
    if not conversation.complete:
        item["complete"] = False
    if conversation.metadata:
        item["metadata"] = conversation.metadata
    return item


def _wire_turn(turn: Turn) -> dict[str, Any]:
    wire: dict[str, Any] = {"turn_id": turn.turn_id, "role": turn.role, "content": turn.content}
    if turn.timestamp is not None:
        wire["timestamp"] = turn.timestamp
    if turn.tool_calls:
        wire["tool_calls"] = [_wire_call(call) for call in turn.tool_calls]
    return wire


def _wire_call(call: ToolCall) -> dict[str, Any]:
    wire: dict[str, Any] = {"tool_name": call.tool_name, "parameters": call.parameters}
    if call.result is not None:
        wire["result"] = call.result.value
    if call.latency_ms is not None:
        wire["latency_ms"] = call.latency_ms
    return wire


def a_submission(
    conversation: Conversation | None = None, *, project: str = PROJECT, annotations: Sequence[Annotation] = ()
) -> Submission:
    """Make what the door hands to the store: a conversation with its bytes and fingerprints."""
    conversation = conversation or a_conversation(project=project)
    read = read_item(msgspec.json.encode(wire_item(conversation)), project=project, limits=UNLIMITED)
    return msgspec.structs.replace(read, annotations=tuple(annotations)) if annotations else read


def a_local_item(conversation: Conversation) -> LocalItem:
    """Make what `evaluate` reads from a file."""
    return read_local_item(msgspec.json.encode(wire_item(conversation)), project=PROJECT, limits=UNLIMITED)


def an_issue(issue_type: str = "tool_failure", *, turn_id: TurnId | None = 2, **parts: Any) -> Issue:
    """Make an issue of a known type; `parts` are further arguments of `issue`."""
    return issue(issue_type, parts.pop("description", ISSUE_TYPES[issue_type].meaning), turn_id=turn_id, **parts)


def an_evaluation(
    conversation: Conversation | bytes,
    evaluator: str = "heuristic",
    overall: float = 0.9,
    *,
    version: str = "1",
    issues: Sequence[Issue] = (),
    result: Result | None = None,
) -> Evaluation:
    """Make an evaluation that measured `overall`, or one with another `result`."""
    key = conversation if isinstance(conversation, bytes) else conversation.key
    found = Findings(overall, (Score("helpfulness", overall, "as measured"),), tuple(issues))
    return Evaluation(key, evaluator, version, result or found)


def a_model_use() -> ModelUse:
    """Build one in which everything is said, two votes included, one of them missing."""
    votes = (ModelVote("openai:x", 0.25, "x-1", "eu", "", 0.1), ModelVote("cheap", None, reason="down"))
    return ModelUse("gpt-x", 10, 20, 2, 5, 0.000125, "openai", "eu", 3, 0.75, "abc", votes)
