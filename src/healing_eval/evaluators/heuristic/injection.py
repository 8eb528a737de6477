"""Does a turn read as if it gave orders to the agent's model, or to a judge?

What is found is for people to look at. It enters no score: a customer may write like an attacker, an attacker need not,
and what would cost an agent points would be a weapon against it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from healing_eval.domain.conversation import Conversation, Turn
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.domain.issue_types import SUSPICION
from healing_eval.evaluators.heuristic.injection_signs import SUSPECTED_FROM, may_be_suspected, signs_of

MOST_TURNS = 5
"""Turns reported of one conversation: who looks at it sees the others."""


def suspected(conversation: Conversation) -> Iterator[Issue]:
    """Report turns with signs of an injection: what is said, what tools are given and what they return.

    The agent's instructions and the tools' definitions are its maker's own and not looked at.
    """
    texts = [turn.content if not turn.tool_calls else _text_of(turn) for turn in conversation.turns]
    if not may_be_suspected("\n".join(texts)):
        return
    reported = 0
    for turn, text in zip(conversation.turns, texts, strict=True):
        found = signs_of(text)
        if found.weight >= SUSPECTED_FROM:
            yield issue(
                SUSPICION,
                f"The turn may hold orders to a model ({', '.join(found.names)}).",
                turn_id=turn.turn_id,
                evidence=found.evidence,
                detail=turn.role,
            )
            reported += 1
            if reported == MOST_TURNS:
                return


def _text_of(turn: Turn) -> str:
    parts = [turn.content]
    for call in turn.tool_calls:
        parts += (call.tool_name, _written(call.parameters), call.malformed_arguments or "")
        if call.result is not None:
            parts += (_written(call.result.value), call.result.error or "")
    return "\n".join(parts)


def _written(value: Any) -> str:
    """Write a value as one text; what is nested too deeply is not looked at."""
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (RecursionError, UnicodeEncodeError, TypeError, ValueError):
        pass
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):
        return ""
