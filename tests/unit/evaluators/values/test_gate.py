"""Are many things found in a text at once as they are one by one?"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.evaluators.values.gate import AnyOf, Gate
from healing_eval.evaluators.values.text import holds_any

PARTS = ("right now", "a.b", "(c|d)", "n't", "[e]", "é+", "\\d", "^f$", "#", "漢字")
IN_PIECES = st.lists(st.sampled_from([*PARTS, *" abcdenté漢\n", "\ud800", "RIGHT NOW"]), max_size=6).map("".join)
ANY_OF = AnyOf(PARTS)
PATTERNS = (r"\bday\b", r"[a-z]{3}\d", "é|ß", r"a[^\n]{0,4}z")
GATE = Gate(PATTERNS)


@given(IN_PIECES)
def test_any_of_some_strings_is_found_as_it_is_written(text: str) -> None:
    assert ANY_OF.stands_in(text) == holds_any(text, PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_each_string_is_found(part: str) -> None:
    assert ANY_OF.stands_in(f"xx{part}yy")


@given(st.text(alphabet="day abcz123éß\n", max_size=20))
def test_a_gate_is_open_for_the_patterns_that_match(text: str) -> None:
    assert GATE.open_in(text) == [number for number, one in enumerate(PATTERNS) if re.search(one, text)]


def test_a_gate_is_open_for_all_where_a_text_cannot_be_read() -> None:
    assert list(GATE.open_in("\ud800")) == [0, 1, 2, 3]
