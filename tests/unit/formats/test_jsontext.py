from __future__ import annotations

import pytest

from healing_eval.errors import InvalidInput
from healing_eval.formats.jsontext import decode_object


def test_an_object_is_decoded() -> None:
    assert decode_object(b' {"a": [1, null]} ') == {"a": [1, None]}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "ends too early, at byte 0"),
        (b'{"a": 1', "ends too early, at byte 7"),
        (b'{"a": x}', "at byte 6"),
        (b'{"a": 1} x', "at byte 9"),
        (b'{"a": NaN}', "NaN at byte 6 is no number in JSON; use null"),
        (b'{"a": Infinity}', "Infinity at byte 6 .*; use null"),
        (b'{"a": [1, -Infinity]}', "-Infinity at byte .*; use null"),
        (b'{"a": Nanny}', "invalid character at byte 6"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b"[]", "expected an object, got an array"),
        (b"null", "expected an object, got null"),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_none_says_what_and_where(raw: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        decode_object(raw)

    assert len(refused.value.reason) < 200
