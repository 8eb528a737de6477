"""How is a conversation in our own shape read?

Harmless differences are taken as they are meant: null for an optional field is absent, a turn with tool calls needs no
content, one without a turn_id is called by its position. An empty text is kept: that an agent said nothing is for an
evaluator to find. Where the meaning is at stake, the item is refused.
"""

from __future__ import annotations

from typing import Any

from healing_eval.domain.conversation import Turn
from healing_eval.errors import InvalidInput
from healing_eval.formats.fields import as_object, optional_text, shown, within
from healing_eval.formats.limits import WireLimits
from healing_eval.formats.plain import PlainTurn, plain_turns
from healing_eval.formats.tools import read_calls, read_plain_call
from healing_eval.formats.turns import (
    Dialogue,
    Outline,
    outline_of,
    read_content,
    read_entries,
    read_role,
    read_timestamp,
    read_turn_id,
)


def read_turns(item: dict[str, Any], limits: WireLimits) -> Dialogue:
    """Read the `turns` of an item.

    Raises:
        InvalidInput: a turn is not what it should be, or two have the same id.
    """
    entries = read_entries(item, "turns", limits)
    plain = plain_turns(item)
    turns = _any_turns(entries, limits) if plain is None else tuple([_turn_of(one) for one in plain])
    return Dialogue(turns=turns, entries=entries, system_prompt=optional_text(item, "system_prompt"))


def outline_turns(item: dict[str, Any], limits: WireLimits) -> Outline:
    """Check the `turns` of an item as `read_turns` does, and make none of them.

    Raises:
        InvalidInput: as with `read_turns`.
    """
    entries = read_entries(item, "turns", limits)
    turns = plain_turns(item)
    outline = outline_of(_any_turns(entries, limits) if turns is None else turns, entries)
    optional_text(item, "system_prompt")
    return outline


def _turn_of(one: PlainTurn) -> Turn:
    calls = tuple([read_plain_call(call) for call in one.tool_calls]) if one.tool_calls else ()
    return Turn(one.turn_id, one.role, one.content or "", one.timestamp, calls)


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
