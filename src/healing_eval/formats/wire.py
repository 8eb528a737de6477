"""How is a conversation in our own shape read?

Harmless differences are taken as they are meant: null for an optional field is absent, a turn with tool calls needs no
content, one without a turn_id is called by its position. An empty text is kept: that an agent said nothing is for an
evaluator to find. Where the meaning is at stake, the item is refused.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from healing_eval.domain.conversation import Role, Turn
from healing_eval.errors import InvalidInput
from healing_eval.formats.fields import as_object, optional_text, shown, within
from healing_eval.formats.limits import WireLimits
from healing_eval.formats.tools import read_calls
from healing_eval.formats.turns import Dialogue, read_content, read_entries, read_role, read_timestamp, read_turn_id


def read_turns(item: dict[str, Any], limits: WireLimits) -> Dialogue:
    """Read the `turns` of an item.

    Raises:
        InvalidInput: a turn is not what it should be, or two have the same id.
    """
    entries = read_entries(item, "turns", limits)
    turns = _plain_turns(item) or _any_turns(entries, limits)
    return Dialogue(turns=turns, entries=entries, system_prompt=optional_text(item, "system_prompt"))


class _PlainTurn(msgspec.Struct):
    """A turn in which every field has the type it is meant to have."""

    turn_id: int
    role: Role
    content: str | None = None
    timestamp: datetime | None = None
    tool_calls: list[Any] | None = None


class _PlainItem(msgspec.Struct):
    turns: list[_PlainTurn]


def _plain_turns(item: dict[str, Any]) -> tuple[Turn, ...] | None:
    """Read turns that are all plain, as nearly always, in less time; None if one is to be looked at by itself."""
    turns: list[Turn] = []
    try:
        for one in msgspec.convert(item, _PlainItem).turns:
            calls = read_calls(one.tool_calls) if one.tool_calls else ()
            is_silent = one.content is None and not calls
            if is_silent or (one.timestamp is not None and one.timestamp.tzinfo is not UTC):
                return None
            turns.append(Turn(one.turn_id, one.role, one.content or "", one.timestamp, calls))
    except (msgspec.ValidationError, InvalidInput):
        return None
    are_distinct = len({turn.turn_id for turn in turns}) == len(turns)
    return tuple(turns) if are_distinct else None


def _any_turns(entries: list[Any], limits: WireLimits) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    places: dict[str, int] = {}
    for index, raw in enumerate(entries):
        try:
            turn = _read_turn(raw, index + 1, limits)
        except InvalidInput as error:
            raise within(f"/turns/{index}", error) from None
        first = places.setdefault(_comparable(turn.turn_id), index)
        if first != index:
            reason = f"turn_id {shown(turn.turn_id)} is already that of turn {first} (counted from 0)"
            raise InvalidInput(reason, pointer=f"/turns/{index}/turn_id")
        turns.append(turn)
    return tuple(turns)


def _comparable(turn_id: int | str) -> str:
    """4 and "4" are one id: annotations and judges write either."""
    return str(turn_id)


def _read_turn(raw: Any, position: int, limits: WireLimits) -> Turn:
    table = as_object(raw)
    calls = table.get("tool_calls")
    calls = () if calls is None else read_calls(calls)
    content = table.get("content")
    if content is None and not calls:
        raise InvalidInput("is missing; expected a string, as the turn has no tool calls", pointer="/content")
    return Turn(
        read_turn_id(table.get("turn_id"), position, limits),
        read_role(table.get("role")),
        "" if content is None else read_content(content),
        read_timestamp(table.get("timestamp")),
        calls,
    )
