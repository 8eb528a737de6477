from __future__ import annotations

import math
from typing import Any

import pytest

from healing_eval.errors import InvalidInput, LimitExceeded
from healing_eval.formats.fields import as_name, as_number, child, inside, parse_json, shown, too_deep, wrong
from healing_eval.formats.limits import MAX_DEPTH, WireLimits


def test_a_pointer_is_escaped() -> None:
    assert child("/turns", "a/b~c") == "/turns/a~1b~0c"


def test_a_refusal_is_placed_where_it_happened_and_keeps_its_class() -> None:
    with pytest.raises(LimitExceeded) as refused, inside("/turns/3"):
        raise LimitExceeded("is too long", pointer="/content")

    assert refused.value.pointer == "/turns/3/content"


@pytest.mark.parametrize(
    ("value", "text"),
    [({"a": 1}, "an object"), ([1], "an array"), (None, "null"), ("a\nb", '"a\\nb"'), (1.5, "1.5"), (True, "true")],
)
def test_a_value_is_quoted_as_json(value: Any, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("value", ["x" * 1_000_000, "\0" * 1_000_000, int("9" * 4000)])
def test_a_megabyte_is_not_repeated_to_its_sender(value: Any) -> None:
    assert len(str(wrong("something short", value))) < 200


@pytest.mark.parametrize("value", [True, "5", None, -0.1, 5.1, math.nan, math.inf, 10**400])
def test_what_is_no_number_in_range_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="a number from 0 to 5"):
        as_number(value, "/rating", low=0, high=5)


def test_a_number_too_large_for_a_float_is_refused_without_an_upper_bound() -> None:
    with pytest.raises(InvalidInput, match="0 or more"):
        as_number(10**400, "/latency_ms", low=0)


@pytest.mark.parametrize("value", [None, "", " \t", 5, "x" * 11])
def test_a_name_is_a_text_that_is_neither_blank_nor_too_long(value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        as_name(value, "/conversation_id", WireLimits(id_characters=10))

    assert refused.value.pointer == "/conversation_id"


@pytest.mark.parametrize(("depth", "expected"), [(MAX_DEPTH, False), (MAX_DEPTH + 1, True)])
@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_nesting_is_counted(depth: int, expected: bool, wrap: Any) -> None:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)

    assert too_deep(b"[" * depth, value) is expected


def test_many_brackets_are_not_deep() -> None:
    assert not too_deep(b"[" * 5000, [[] for _ in range(5000)])


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "nonsense"])
def test_a_text_that_is_no_json_says_so_by_one_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|truncated|too deeply"):
        parse_json(text)
