"""How long did each answer and each tool take?

Only what the agent is answerable for is a delay: an assistant turn right after a user's turn, a tool's result or its
own tool call. A user who comes back the next day is no delay, nor is a reminder the agent sends on its own.
"""

from __future__ import annotations

import msgspec

from healing_eval.domain.conversation import Conversation, Turn, TurnId


class TurnDelay(msgspec.Struct, frozen=True):
    """What one assistant turn took."""

    turn_id: TurnId
    answer_seconds: float | None
    """Since the turn before it, by timestamps; None when that cannot be told."""
    tool_ms: tuple[tuple[str, float], ...] = ()
    """Tool name and latency of each call whose latency is known."""
    all_tools_ms: float = 0.0
    """The latencies of all its calls together."""


class Delays(msgspec.Struct, frozen=True):
    """What was measured in one conversation."""

    turns: tuple[TurnDelay, ...]
    """Only assistant turns of which something is known."""
    out_of_order: int = 0
    """Assistant turns stamped before the turn they answer; they are not measured."""


def measure(conversation: Conversation) -> Delays:
    """Measure what timestamps and tool latencies tell."""
    found: list[TurnDelay] = []
    out_of_order = 0
    before: Turn | None = None
    for turn in conversation.turns:
        if turn.role == "assistant":
            seconds = None if before is None else _answer_seconds(before, turn)
            if seconds is not None and seconds < 0:
                out_of_order += 1
                seconds = None
            if turn.tool_calls and (tools := _tool_latencies(turn)):
                found.append(TurnDelay(turn.turn_id, seconds, tools, sum([latency for _, latency in tools])))
            elif seconds is not None:
                found.append(TurnDelay(turn.turn_id, seconds))
        before = turn
    return Delays(tuple(found), out_of_order)


def _tool_latencies(turn: Turn) -> tuple[tuple[str, float], ...]:
    known = [(call.tool_name, call.latency_ms) for call in turn.tool_calls if call.latency_ms is not None]
    return tuple([one for one in known if one[1] >= 0])


def _answer_seconds(before: Turn, turn: Turn) -> float | None:
    if before.timestamp is None or turn.timestamp is None:
        return None
    waits = before.role in ("user", "tool") or (before.role == "assistant" and bool(before.tool_calls))
    return (turn.timestamp - before.timestamp).total_seconds() if waits else None
