"""Which values of a call need a ground?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

import msgspec

from healing_eval.evaluators.values.text import words_of_name

_MAX_LEAVES = 500
_LONG_TEXT = 160
_MANY_WORDS = 14
_LARGEST = 1e300
_SAID_WITHOUT_WORDS = frozenset(("", "true", "false", "yes", "no", "none", "null", "any", "all", "default"))

# fmt: off
FREE_TEXT = frozenset((
    "body", "caption", "code", "command", "comment", "content", "description", "equation", "explanation", "expression",
    "feedback", "formula", "function", "instruction", "instructions", "keyword", "keywords", "message", "note", "notes",
    "prompt",
    "purpose", "query", "question", "reason", "script", "sql", "subject", "summary", "text", "thought", "title",
))
# fmt: on
_CODES = frozenset(("area", "zip", "postal", "post", "country", "currency", "promo", "discount", "airport", "coupon"))


_GIVEN_BY_THE_RUNTIME = frozenset(("token", "session", "auth", "authorization", "credentials", "apikey"))
"""Words of arguments that the surroundings fill in, so that no turn shows where they come from."""


class Leaf(msgspec.Struct, frozen=True):
    """One value of a call."""

    path: tuple[str | int, ...]
    name: str
    """The name of the innermost argument that holds it."""
    value: str | int | float


def leaves(parameters: dict[str, Any], properties: dict[str, Any], free_text: frozenset[str]) -> Iterator[Leaf]:
    """List the values that must come from somewhere, the first 500 of a call.

    Left out: booleans and nulls, what the agent words itself, defaults and members of an enum, integers below ten,
    numbers from 1e300.
    """
    stack: list[tuple[tuple[str | int, ...], str, Any, Any]] = [
        ((name,), name, value, properties.get(name)) for name, value in reversed(parameters.items())
    ]
    count = 0
    while stack and count < _MAX_LEAVES:
        path, name, value, schema = stack.pop()
        count += 1
        known = cast("dict[str, Any]", schema) if isinstance(schema, dict) else _NOTHING
        if isinstance(value, str | int | float):
            if _needs_ground(name, value, known, free_text):
                yield Leaf(path, name, value)
        elif isinstance(value, dict):
            inner = _table(known.get("properties"))
            table = cast("dict[str, Any]", value)
            stack += [((*path, key), key, item, inner.get(key)) for key, item in reversed(table.items())]
        elif isinstance(value, list):
            items = cast("list[Any]", value)[:_MAX_LEAVES]
            stack += [
                ((*path, place), name, item, known.get("items")) for place, item in reversed(list(enumerate(items)))
            ]


_NOTHING: dict[str, Any] = {}


def _table(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _needs_ground(name: str, value: str | float, schema: dict[str, Any], free_text: frozenset[str]) -> bool:
    if schema and ("enum" in schema or "const" in schema or ("default" in schema and schema["default"] == value)):
        return False
    if isinstance(value, str):
        return not _is_worded(name, value, free_text)
    if isinstance(value, bool):
        return False
    if not abs(value) < _LARGEST:  # digits without end are no quantity, and no float holds them
        return False
    return not (-10 < value < 10 and float(value).is_integer())


def _is_worded(name: str, value: str, free_text: frozenset[str]) -> bool:
    if len(value) > _LONG_TEXT or value.strip().lower() in _SAID_WITHOUT_WORDS or (len(value) == 1 and value.isdigit()):
        return True
    return value[0] in "[{" or _names_free_text(name[:200], free_text) or value.count(" ") >= _MANY_WORDS


@lru_cache(maxsize=4096)
def _names_free_text(name: str, free_text: frozenset[str]) -> bool:
    """Whether the name says that the agent words the value, or that the surroundings fill it in."""
    words = words_of_name(name)
    if not _GIVEN_BY_THE_RUNTIME.isdisjoint(words):
        return True
    return not free_text.isdisjoint(words) and _CODES.isdisjoint(words)
