"""What have our own shape and OpenAI's in common? Roles, content, times and turn ids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import msgspec

from healing_eval.domain.conversation import Role, ToolDefinition, Turn, TurnId
from healing_eval.errors import InvalidInput, LimitExceeded
from healing_eval.formats.fields import as_array, as_text, shown, wrong
from healing_eval.formats.limits import WireLimits

ROLES: dict[str, Role] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "developer": "system",
    "function": "tool",
    "human": "user",
    "ai": "assistant",
}
"""What senders call a role, and what it is to us."""


class Dialogue(msgspec.Struct, frozen=True):
    """What the turns or messages of an item say."""

    turns: tuple[Turn, ...]
    entries: list[Any]
    """The raw array they were read from, one link of the hash chain each."""
    tools: tuple[ToolDefinition, ...] = ()
    system_prompt: str | None = None


class Outline(msgspec.Struct, frozen=True):
    """What the door has to know of turns that were checked."""

    turn_ids: Sequence[TurnId]
    has_agent: bool
    """Whether one of them is the agent's."""
    entries: list[Any]
    """As those of a dialogue."""


class Spoken(Protocol):
    """A turn, however it was read."""

    @property
    def turn_id(self) -> TurnId:
        """How it is called."""
        ...

    @property
    def role(self) -> Role:
        """Who speaks."""
        ...


def outline_of(turns: Sequence[Spoken], entries: list[Any]) -> Outline:
    """Outline what was read from `entries`."""
    return Outline([turn.turn_id for turn in turns], any(turn.role == "assistant" for turn in turns), entries)


def read_entries(item: dict[str, Any], shape: str, limits: WireLimits) -> list[Any]:
    """Take the array under `shape`: not empty, not longer than the limit."""
    entries = as_array(item.get(shape), f"/{shape}")
    if not entries:
        raise InvalidInput("is empty; a conversation has at least one turn", pointer=f"/{shape}")
    if len(entries) > limits.turns:
        raise LimitExceeded(f"has {len(entries)} entries, the limit is {limits.turns}", pointer=f"/{shape}")
    return entries


def read_role(value: Any) -> Role:
    """Read who speaks."""
    if value is None:
        raise InvalidInput(f"is missing; expected one of {', '.join(ROLES)}", pointer="/role")
    role = ROLES.get(value) if isinstance(value, str) else None
    if role is None:
        raise InvalidInput(f"unknown role {shown(value)}; expected one of {', '.join(ROLES)}", pointer="/role")
    return role


def read_timestamp(value: Any) -> datetime | None:
    """Read an RFC 3339 time; one without an offset is UTC."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong('a time as in RFC 3339, such as "2026-01-31T12:00:00Z"', value, pointer="/timestamp")
    try:
        time = msgspec.convert(value, datetime)
        if time.tzinfo is UTC:
            return time
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise wrong('a time as in RFC 3339, such as "2026-01-31T12:00:00Z"', value, pointer="/timestamp") from None


def read_turn_id(value: Any, position: int, limits: WireLimits) -> TurnId:
    """Read a turn's id; without one it is the turn's position, counted from 1."""
    if type(value) is int:
        return value
    if value is None:
        return position
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise wrong("an integer or a string", value, pointer="/turn_id")
    if isinstance(value, str):
        if not value.strip():
            raise wrong("an integer or a string that is not blank", value, pointer="/turn_id")
        if len(value) > limits.id_characters:
            reason = f"has {len(value)} characters, the limit is {limits.id_characters}"
            raise LimitExceeded(reason, pointer="/turn_id")
    return value


def read_content(value: Any) -> str:
    """Read a string, or an array of parts: texts are joined by line breaks, what is no text is named in brackets."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise wrong("a string or an array of parts", value, pointer="/content")
    parts = cast("list[Any]", value)
    return "\n".join(_read_part(part, f"/content/{index}") for index, part in enumerate(parts))


def _read_part(part: Any, pointer: str) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise wrong("a part with a type", part, pointer=pointer)
    table = cast("dict[str, Any]", part)
    for name in ("text", "refusal"):
        if table.get(name) is not None:
            return as_text(table[name], f"{pointer}/{name}")
    kind = as_text(table.get("type"), f"{pointer}/type")
    return f"[{kind.removeprefix('input_').removesuffix('_url')[:40]}]"
