from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from healing_eval.domain.conversation import ToolCall, Turn
from healing_eval.evaluators.coherence.context import Context
from healing_eval.evaluators.coherence.options import Options
from healing_eval.testing.builders import a_conversation, a_tool_call, a_turn

Talk = Callable[..., Context]


@pytest.fixture
def talk() -> Talk:
    """Make a context from lines that begin with "u:" or "a:"; a tool call belongs to the agent's line before it."""

    def make(*lines: str | ToolCall, complete: bool = True, **options: Any) -> Context:
        turns: list[Turn] = []
        for line in lines:
            if isinstance(line, ToolCall):
                last = turns.pop()
                turns.append(a_turn(last.turn_id, last.role, last.content, tool_calls=(*last.tool_calls, line)))
            else:
                role = "user" if line.startswith("u:") else "assistant"
                turns.append(a_turn(len(turns) + 1, role, line[2:].strip()))
        return Context(a_conversation(turns=turns, complete=complete), Options(**options))

    return make


@pytest.fixture
def lookup() -> Callable[[Sequence[dict[str, Any]]], ToolCall]:
    """Make a call whose result is a list of records."""
    return lambda rows: a_tool_call("lookup", {}, result=list(rows))
