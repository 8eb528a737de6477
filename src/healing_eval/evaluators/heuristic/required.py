"""Which fields can a configuration require, and which of them are not there?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from healing_eval.domain.conversation import Conversation, ToolCall, Turn, TurnId
from healing_eval.domain.evaluation import Issue, issue

Gap = tuple[TurnId | None, str | None]
"""Where a field is missing: turn and tool, as far as they apply."""


def _of_turns(lacks: Callable[[Turn], bool]) -> Callable[[Conversation], Iterator[Gap]]:
    return lambda conversation: ((turn.turn_id, None) for turn in conversation.turns if lacks(turn))


def _of_calls(lacks: Callable[[ToolCall], bool]) -> Callable[[Conversation], Iterator[Gap]]:
    return lambda conversation: (
        (turn.turn_id, call.tool_name) for turn in conversation.turns for call in turn.tool_calls if lacks(call)
    )


def _no_system_prompt(conversation: Conversation) -> Iterator[Gap]:
    if not (conversation.system_prompt or "").strip():
        yield None, None


def _no_tools(conversation: Conversation) -> Iterator[Gap]:
    if not conversation.tools:
        yield None, None


FIELDS: dict[str, Callable[[Conversation], Iterator[Gap]]] = {
    "system_prompt": _no_system_prompt,
    "tools": _no_tools,
    "turns.timestamp": _of_turns(lambda turn: turn.timestamp is None),
    "turns.tool_calls.result": _of_calls(lambda call: call.result is None),
    "turns.tool_calls.latency_ms": _of_calls(lambda call: call.latency_ms is None),
}
"""Field to the places where a conversation lacks it."""


def missing_fields(conversation: Conversation, required: tuple[str, ...]) -> Iterator[Issue]:
    """Report each required field once, at the first place that lacks it, with the number of places."""
    for name in required:
        gaps = list(FIELDS[name](conversation))
        if gaps:
            turn_id, tool_name = gaps[0]
            times = "" if turn_id is None else f" in {len(gaps)} places, first here"
            yield issue(
                "missing_field",
                f"The required field {name} is missing{times}.",
                turn_id=turn_id,
                tool_name=tool_name,
                detail=name,
            )
