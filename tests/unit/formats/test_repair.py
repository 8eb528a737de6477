"""Which characters can no store keep, and what becomes of them?"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.formats.repair import repair


@pytest.mark.parametrize(
    ("raw", "text", "notes"),
    [
        (rb'"a\u0000b"', "a\ufffdb", ("1 NUL character replaced by U+FFFD",)),
        (
            rb'"\u0000\u0000\ud800"',
            "\ufffd" * 3,
            ("2 NUL characters replaced by U+FFFD", "1 lone surrogate replaced by U+FFFD"),
        ),
        (rb'"\udc00\ud83d\ude00\ud83d"', "\ufffd😀\ufffd", ("2 lone surrogates replaced by U+FFFD",)),
        (rb'"\ud83d\u0041"', "\ufffdA", ("1 lone surrogate replaced by U+FFFD",)),
        (rb'"\\u0000 \\\u0000"', "\\u0000 \\\ufffd", ("1 NUL character replaced by U+FFFD",)),
    ],
)
def test_what_no_store_keeps_is_replaced_and_said(raw: bytes, text: str, notes: tuple[str, ...]) -> None:
    repaired, said = repair(raw)

    assert (json.loads(repaired), said) == (text, notes)
    assert len(repaired) == len(raw)


@pytest.mark.parametrize("raw", [b'"plain"', rb'"\u00e9"', rb'"\ud83d\ude00"', rb'"\\ud800"', rb'"\\u0000"'])
def test_sound_bytes_are_the_very_same(raw: bytes) -> None:
    assert repair(raw) == (raw, ())
    assert repair(raw)[0] is raw


@given(st.text())
def test_escaped_text_survives_but_for_nul(text: str) -> None:
    repaired, _ = repair(json.dumps(text).encode())

    assert json.loads(repaired) == text.replace("\0", "\ufffd")


def test_a_megabyte_of_backslashes_is_read_in_linear_time() -> None:
    raw = b'"' + b"\\" * 1_000_000 + rb'\u0000"'

    assert repair(raw)[1] == ("1 NUL character replaced by U+FFFD",)
