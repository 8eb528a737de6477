"""Is it JSON? If not, where does it stop being JSON?"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from healing_eval.errors import InvalidInput, NotJson
from healing_eval.formats.fields import too_deep, wrong
from healing_eval.formats.limits import MAX_DEPTH

_decode = msgspec.json.Decoder().decode
_NOT_A_NUMBER = re.compile(rb"-?(?:NaN|Infinity)\b")
_BYTE = re.compile(r"^(?:JSON is malformed: )?(.*?)(?: - at `.*| \(byte (\d+)\))?$", re.DOTALL)


def decode_object(raw: bytes) -> dict[str, Any]:
    """Decode a JSON object.

    Raises:
        NotJson: it is no JSON or not UTF-8; the reason names the byte, counted from 0 at the beginning of `raw`.
        InvalidInput: it is nested too deeply or no object.
    """
    try:
        value = _decode(raw)
    except UnicodeDecodeError:
        raise _not_utf8(raw) from None
    except RecursionError:
        raise _nested() from None
    except msgspec.DecodeError as error:
        raise not_json(raw, error) from None
    if not isinstance(value, dict):
        raise wrong("an object", value)
    if too_deep(raw, value):
        raise _nested()
    return value  # pyright: ignore[reportUnknownVariableType] - JSON objects have string keys


def decode_body(raw: bytes) -> dict[str, Any]:
    """Decode the JSON object that is the body of a request.

    Raises:
        NotJson: it is no JSON or not UTF-8.
        InvalidInput: it is nested too deeply or no object.
    """
    try:
        return decode_object(raw)
    except NotJson as error:
        raise NotJson(f"the body {error.reason}") from None


def not_json(raw: bytes, error: msgspec.DecodeError) -> NotJson:
    """Say where the JSON breaks."""
    text = str(error)
    if "truncated" in text:
        return NotJson(f"is not JSON: it ends too early, at byte {len(raw)}")
    match = _BYTE.match(text)
    assert match is not None, "every part of the pattern is optional"
    reason, byte = match.groups()
    if byte and reason == "trailing characters":  # msgspec counts those from 1
        byte = int(byte) - 1
    if byte and (name := _not_a_number(raw, int(byte))):
        return NotJson(f"is not JSON: {name} at byte {byte} is no number in JSON; use null")
    place = f" at byte {byte}" if byte else ""
    return NotJson(f"is not JSON: {reason[:1].lower()}{reason[1:]}{place}")


def _not_a_number(raw: bytes, byte: int) -> str | None:
    """Find at this byte, or at the sign before it, what Python's json.dumps writes for a float that JSON lacks."""
    for start in (max(0, byte - 1), byte):
        if found := _NOT_A_NUMBER.match(raw, start):
            return found[0].decode()
    return None


def _not_utf8(raw: bytes) -> NotJson:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return NotJson(f"is not UTF-8 at byte {error.start}")
    raise AssertionError("what does not decode in part decodes as a whole")


def _nested() -> InvalidInput:
    return InvalidInput(f"is nested too deeply; at most {MAX_DEPTH} levels are read")
