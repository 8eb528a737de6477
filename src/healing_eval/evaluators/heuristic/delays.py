"""How long did each answer and each tool take?

Only what the agent is answerable for is a delay: an assistant turn right after a user's turn, a tool's result or its
own tool call. A user who comes back the next day is no delay, nor is a reminder the agent sends on its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec

from healing_eval.domain.conversation import Conversation, Turn, TurnId


class TurnDelay(msgspec.Struct, frozen=True):
    """What one assistant turn took."""

    turn_id: TurnId
    answer_seconds: float | None
    """Since the turn before it, by timestamps; None when that cannot be told."""
    tool_ms: tuple[tuple[str, float], ...] = ()
    """Tool name and latency of each call whose latency is known."""

    @property
    def all_tools_ms(self) -> float:
        """The latencies of all its calls together."""
        return sum(latency for _, latency in self.tool_ms) if self.tool_ms else 0.0


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
    for before, turn in pairwise((None, *conversation.turns)):
        if turn is None or turn.role != "assistant":
            continue
        seconds = _answer_seconds(before, turn)
        if seconds is not None and seconds < 0:
            out_of_order += 1
            seconds = None
        tools = tuple(_tool_latencies(turn)) if turn.tool_calls else ()
        if seconds is not None or tools:
            found.append(TurnDelay(turn.turn_id, seconds, tools))
    return Delays(tuple(found), out_of_order)


def _tool_latencies(turn: Turn) -> Iterator[tuple[str, float]]:
    for call in turn.tool_calls:
        if call.latency_ms is not None and call.latency_ms >= 0:
            yield call.tool_name, call.latency_ms


def _answer_seconds(before: Turn | None, turn: Turn) -> float | None:
    if before is None or before.timestamp is None or turn.timestamp is None:
        return None
    waits = before.role in ("user", "tool") or (before.role == "assistant" and bool(before.tool_calls))
    return (turn.timestamp - before.timestamp).total_seconds() if waits else None
