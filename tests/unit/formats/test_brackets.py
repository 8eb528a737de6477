from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_eval.formats.brackets import KEPT, Scan, Window

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def pieces(data: bytes, size: int) -> Iterable[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def scan(data: bytes, size: int, *, max_bytes: int = 10**6, in_stream: bool = False) -> tuple[str, int]:
    window = Window(pieces(data, size))
    window.more()
    found = Scan(window, max_bytes, in_stream=in_stream)
    return found.follow(), found.size


@settings(max_examples=60, deadline=None)
@given(value=st.dictionaries(st.text(), JSON, max_size=4), size=st.integers(1, 9), after=st.binary(max_size=5))
def test_the_end_of_a_value_is_found_however_the_stream_is_cut(value: object, size: int, after: bytes) -> None:
    raw = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")

    assert scan(raw + after, size) == ("closed", len(raw))


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("data", "stop"),
    [
        (b'{"a": [1, 2', "end"),
        (b'{"a": "}', "end"),
        (b'{"a": "cut\n{"turns": []}\n', "newline"),
        (b'{"a": [\n{"turns": []}\n', "conversation"),
        (b'{"note": 1, "conversations" : [ {}', "envelope"),
        (b'{"a": {"conversations": []}}', "closed"),
        (b'{"a": "\\"}"}', "closed"),
    ],
)
def test_whatever_else_ends_it_is_told(data: bytes, stop: str, size: int) -> None:
    assert scan(data, size, in_stream=True)[0] == stop


def test_of_a_value_that_is_too_large_only_the_end_is_kept() -> None:
    data = b'{"a": [' + b"1," * 50_000 + b"1]}"
    window = Window(pieces(data, 1000))
    window.more()
    found = Scan(window, 500)

    assert found.follow() == "closed"
    assert found.size == len(data)
    assert found.lost > len(data) - 3000
    assert len(window.data) <= 1000 + 500 + KEPT


def test_lines_are_counted_as_they_are_dropped() -> None:
    window = Window([b"a\nb\n", b"c"])
    window.more()
    window.drop(4)

    assert window.line == 3
    assert window.more()
    assert window.take(9) == b"c"
    assert not window.more()
