"""Is text of others harmless on a terminal?"""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.cli.text import bytes_of, count_of, escape_controls, plain


def test_terminal_escapes_lose_their_effect() -> None:
    assert plain("\x1b[31mred\x1b]0;title\x07 \x9b2J") == "�[31mred�]0;title� �2J"


def test_text_that_reverses_its_direction_does_not() -> None:
    assert plain("abc\u202egpj.exe") == "abc�gpj.exe"


def test_text_stays_on_one_line() -> None:
    assert plain("a\r\n\tb\u2028c") == "a b c"


@given(st.text(), st.integers(1, 50))
def test_nothing_a_terminal_obeys_is_left(text: str, limit: int) -> None:
    shown = plain(text, limit)

    assert len(shown) <= limit
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in shown)


def test_long_text_is_cut_before_it_is_looked_at() -> None:
    assert plain("act as " * 10_000_000, 10) == "act as ac…"


@given(st.text())
def test_escaped_json_still_says_the_same(text: str) -> None:
    line = msgspec.json.encode({"text": text + "\x7f\x80\x9b"})

    escaped = escape_controls(line)

    assert msgspec.json.decode(escaped) == msgspec.json.decode(line)
    assert not any(0x7F <= ord(char) < 0xA0 for char in escaped.decode())


def test_counts_and_sizes_read_well() -> None:
    assert count_of(1, "item") == "1 item"
    assert count_of(1200, "item") == "1,200 items"
    assert [bytes_of(n) for n in (812, 13_400_000, 84_300_000_000)] == ["812 B", "13.4 MB", "84.3 GB"]
