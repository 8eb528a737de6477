"""Which values of a call need a ground?"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, cast

import msgspec

from healing_eval.evaluators.tool_call.grounding.credentials import CREDENTIALS, is_token, names_a_token
from healing_eval.evaluators.tool_call.grounding.members import choices
from healing_eval.evaluators.values.text import words_of_name

MOST_LEAVES = 500
_LONG_TEXT = 160
_MANY_WORDS = 14
_LARGEST = 1e300
_SAID_WITHOUT_WORDS = frozenset(("", "true", "false", "yes", "no", "none", "null", "any", "all", "default"))

_LONGEST_CODE = 24
_LONGEST_NAME = 200

# fmt: off
FREE_TEXT = frozenset((
    "code", "command", "equation", "explanation", "expression", "formula", "function", "instruction", "instructions",
    "prompt", "script", "sql", "thought",
))
"""Words of arguments whose values the agent works out by itself."""
WORDED = frozenset((
    "body", "caption", "comment", "content", "description", "feedback", "keyword", "keywords", "message", "note",
    "notes", "purpose", "query", "question", "reason", "subject", "summary", "text", "title",
))
"""Words of arguments whose values the agent puts in its own words, but about what was said."""
# fmt: on
_CODES = frozenset(("area", "zip", "postal", "post", "country", "currency", "promo", "discount", "airport", "coupon"))
_SAID_AT_MOST = max(map(len, _SAID_WITHOUT_WORDS))

Kind = Literal["fact", "member", "wording", "credential", "list"]
"""How a value is looked up: as it is, as one of an enum's, by its telling words, as a token, or by its parts."""


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """One value of a call."""

    path: tuple[str | int, ...]
    name: str
    """The name of the innermost argument that holds it."""
    value: str | int | float
    kind: Kind = "fact"
    members: tuple[str, ...] = ()
    """The enum's members between which there was a choice; empty for all but a member."""


_SCALARS = (str, int, float)
_NOTHING: dict[str, Any] = {}


def leaves(parameters: dict[str, Any], properties: dict[str, Any], free_text: frozenset[str]) -> list[Leaf]:
    """List the values that must come from somewhere, among the first 500 of a call.

    Left out: booleans and nulls, what the agent works out itself, long texts, defaults, integers below ten, numbers
    from 1e300, and members of an enum that stand in a list, where one does not exclude another.
    """
    found: list[Leaf] = []
    count = 0
    for argument, given in parameters.items():
        count += 1
        if count > MOST_LEAVES:
            break
        schema = properties.get(argument)
        if isinstance(given, _SCALARS):  # nearly all of them
            leaf = _leaf((argument,), argument, given, schema, free_text)
            if leaf is not None:
                found.append(leaf)
        elif given:
            count = _open(argument, given, schema, free_text, found, count - 1)
    return found


def _open(argument: str, given: Any, schema: Any, free_text: frozenset[str], found: list[Leaf], count: int) -> int:
    """Add the values of a list or table to those found, and say how many have been seen with them."""
    stack: list[tuple[tuple[str | int, ...], str, Any, Any]] = [((argument,), argument, given, schema)]
    while stack:
        path, name, value, schema = stack.pop()
        count += 1
        if count > MOST_LEAVES:
            break
        known = _table(schema)
        if isinstance(value, _SCALARS):
            leaf = _leaf(path, name, value, known, free_text)
            if leaf is not None:
                found.append(leaf)
        elif isinstance(value, dict):
            inner = _table(known.get("properties"))
            table = cast("dict[str, Any]", value)
            stack += [((*path, key), key, item, inner.get(key)) for key, item in reversed(table.items())]
        elif isinstance(value, list):
            items, one = cast("list[Any]", value)[:MOST_LEAVES], known.get("items")
            stack += [((*path, place), name, item, one) for place, item in reversed(list(enumerate(items)))]
    return count


def _table(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else _NOTHING


def _leaf(
    path: tuple[str | int, ...], name: str, value: str | float, schema: Any, free_text: frozenset[str]
) -> Leaf | None:
    if schema and isinstance(schema, dict):
        known = cast("dict[str, Any]", schema)
        if "enum" in known:
            members = _chosen_from(path, value, known)
            return Leaf(path, name, value, "member", members) if members else None
        if _is_fixed(value, known):
            return None
    kind = _kind_of_text(name, value, free_text) if isinstance(value, str) else _kind_of_number(value)
    return None if kind is None else Leaf(path, name, value, kind)


def _chosen_from(path: tuple[str | int, ...], value: str | float, schema: dict[str, Any]) -> tuple[str, ...]:
    if not isinstance(value, str) or not isinstance(path[-1], str) or _is_fixed(value, schema):
        return ()
    members = choices(schema)
    return members if value in members else ()


def _is_fixed(value: str | float, schema: dict[str, Any]) -> bool:
    return "const" in schema or ("default" in schema and schema["default"] == value)


def _kind_of_number(value: float) -> Kind | None:
    if isinstance(value, bool):
        return None
    if not abs(value) < _LARGEST:  # digits without end are no quantity, and no float holds them
        return None
    return None if -10 < value < 10 and float(value).is_integer() else "fact"


def _kind_of_text(name: str, value: str, free_text: frozenset[str]) -> Kind | None:
    if len(value) > _LONG_TEXT:
        return None
    stripped = value.strip()
    if len(stripped) <= _SAID_AT_MOST and _says_nothing(stripped):
        return None
    kind = _kind_by_name(name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME], free_text)
    if kind == "fact":
        if value[0] in "[{":
            return "list" if value[-1] in "]}" else None
        return kind if len(value) <= _MANY_WORDS or value.count(" ") < _MANY_WORDS else None
    if kind is None:
        return "fact" if _is_a_code(name, value) else None
    return kind if kind == "wording" or is_token(value) else None


def _says_nothing(value: str) -> bool:
    """Whether a short value is so common that it stands anywhere."""
    return value.lower() in _SAID_WITHOUT_WORDS or (len(value) == 1 and value.isdigit())


def _is_a_code(name: str, value: str) -> bool:
    """Whether a "code" is one that somebody gave, as KX77 or 4711, and no program."""
    if len(value) > _LONGEST_CODE or not value.isalnum() or "code" not in words_of_name(name):
        return False
    return value.isupper() or any(map(str.isdigit, value))


@lru_cache(maxsize=4096)
def _kind_by_name(name: str, free_text: frozenset[str]) -> Kind | None:
    """Tell from an argument's name whether the agent words the value, or the surroundings fill it in."""
    words = words_of_name(name)
    if not CREDENTIALS.isdisjoint(words):
        return "credential" if names_a_token(words) else None
    if not _CODES.isdisjoint(words):
        return "fact"
    if not free_text.isdisjoint(words):
        return None
    return "fact" if WORDED.isdisjoint(words) else "wording"
