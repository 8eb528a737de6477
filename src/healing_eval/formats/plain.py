"""Has every field of every turn the type it is meant to have? Then, as nearly always, little is left to look at.

What is plain is read by msgspec in one go. What is not is no fault yet: it is looked at field by field, by those who
know what else is taken and what to say about the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from healing_eval.domain.conversation import Role


class PlainCall(msgspec.Struct):
    """A call in our own shape; arguments and result may be any JSON."""

    tool_name: str
    parameters: Any = None
    arguments: Any = None
    result: Any = None
    latency_ms: Annotated[float, msgspec.Meta(ge=0, le=sys.float_info.max)] | None = None
    call_id: str | int | None = None
    id: str | int | None = None
    function: None = None
    """OpenAI's shape has an object here, and is not plain."""


class PlainTurn(msgspec.Struct):
    """A turn; it says or calls something."""

    turn_id: int
    role: Role
    content: str | None = None
    timestamp: datetime | None = None
    """In UTC."""
    tool_calls: list[PlainCall] | None = None


class _PlainItem(msgspec.Struct):
    turns: list[PlainTurn]


def plain_turns(item: dict[str, Any]) -> Sequence[PlainTurn] | None:
    """Read the turns of an item if all of them are plain, and no two have the same id."""
    try:
        turns = msgspec.convert(item, _PlainItem).turns
    except msgspec.ValidationError:
        return None
    for one in turns:
        if one.timestamp is not None and one.timestamp.tzinfo is not UTC:
            return None
        if not one.tool_calls:
            if one.content is None:
                return None
        elif not all(call.tool_name and not call.tool_name.isspace() for call in one.tool_calls):
            return None
    return turns if len({one.turn_id for one in turns}) == len(turns) else None
