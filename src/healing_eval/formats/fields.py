"""How is one field read, and how is a wrong one refused?

Readers take the decoded value of a field and return it typed; None stands for null and for absent alike. They raise
InvalidInput with a JSON Pointer relative to what they were given, and `inside` puts the way there in front.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import msgspec

from healing_eval.errors import InvalidInput, LimitExceeded
from healing_eval.formats.limits import MAX_DEPTH, WireLimits
from healing_eval.formats.repair import repair

_SHOWN = 60
_NUMBERS = (float, int)


def child(pointer: str, name: str | int) -> str:
    """Extend a JSON Pointer by one name, escaped as RFC 6901 says."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


@contextmanager
def inside(pointer: str) -> Generator[None, None, None]:
    """Put `pointer` in front of the pointer of whatever is refused in this block."""
    try:
        yield
    except InvalidInput as error:
        raise within(pointer, error) from None


def within(pointer: str, error: InvalidInput) -> InvalidInput:
    """Copy a refusal with `pointer` in front of its own."""
    return type(error)(error.reason, pointer=pointer + error.pointer)


def shown(value: object) -> str:
    """Quote a value as JSON, cut to some 60 characters: the sender wrote it, so it may be a megabyte."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str) and len(value) > _SHOWN:
        value = value[:_SHOWN] + "…"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 2 * _SHOWN else text[: 2 * _SHOWN] + "…"


def wrong(expected: str, value: object, *, pointer: str = "") -> InvalidInput:
    """Make the refusal of a value: what was expected and what came."""
    return InvalidInput(f"expected {expected}, got {shown(value)}", pointer=pointer)


def as_object(value: Any, pointer: str = "") -> dict[str, Any]:
    """Read an object."""
    if not isinstance(value, dict):
        raise wrong("an object", value, pointer=pointer)
    return cast("dict[str, Any]", value)


def as_array(value: Any, pointer: str = "") -> list[Any]:
    """Read an array."""
    if not isinstance(value, list):
        raise wrong("an array", value, pointer=pointer)
    return cast("list[Any]", value)


def as_text(value: Any, pointer: str = "") -> str:
    """Read a string."""
    if not isinstance(value, str):
        raise wrong("a string", value, pointer=pointer)
    return value


def as_name(value: Any, pointer: str, limits: WireLimits) -> str:
    """Read a string that names something: not blank, not longer than the limit."""
    if value is None:
        raise InvalidInput("is missing; expected a string that is not blank", pointer=pointer)
    name = as_text(value, pointer)
    if not name.strip():
        raise wrong("a string that is not blank", name, pointer=pointer)
    if len(name) > limits.id_characters:
        reason = f"has {len(name)} characters, the limit is {limits.id_characters}"
        raise LimitExceeded(reason, pointer=pointer)
    return name


def as_number(value: Any, pointer: str, *, low: float, high: float = math.inf) -> float:
    """Read a number in [low, high]; neither a boolean nor a numeral in a string is one."""
    if type(value) in _NUMBERS and low <= value <= high and value != math.inf:
        try:
            return float(value)
        except OverflowError:
            pass
    expected = f"a number from {low:g} to {high:g}" if high < math.inf else f"a number, {low:g} or more"
    raise wrong(expected, value, pointer=pointer)


def optional_text(table: dict[str, Any], name: str) -> str | None:
    """Read a string that need not be there."""
    value = table.get(name)
    return None if value is None else as_text(value, f"/{name}")


def parse_json(text: str) -> Any:
    """Parse JSON found in a text of the conversation, where escapes hide from the repair of the item.

    Raises:
        ValueError: it is no JSON, or nested deeper than anybody should have to read.
    """
    raw, _ = repair(text.encode())
    try:
        value = msgspec.json.decode(raw)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if too_deep(raw, value):
        raise ValueError("nested too deeply")
    return value


def too_deep(raw: bytes, value: Any) -> bool:
    """Tell whether a decoded value nests deeper than `MAX_DEPTH`; most are cleared by counting their brackets."""
    if _occurrences(raw, b"{") + _occurrences(raw, b"[") <= MAX_DEPTH:
        return False
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _contents(outer) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _occurrences(raw: bytes, byte: bytes) -> int:
    """Count a byte; `replace` searches for it, which is faster than `count`, which looks at each."""
    return len(raw) - len(raw.replace(byte, b""))


def _contents(value: Any) -> Any:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()
