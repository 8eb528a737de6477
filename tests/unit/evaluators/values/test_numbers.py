"""Which numbers are found, and which digits are none?"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_eval.evaluators.values.numbers import find_numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$1,234.50", [1234.5]),
        ("-$5 and 10-20", [-5, 10, 20]),
        ("1.5 million or 20k", [1_500_000, 20_000]),
        ("two hundred and five", [205]),
        ("two, three dozen", [2, 36]),
        ("the third of 21st", [21, 3]),
        ("A12 and 1x2y", []),
        ("someone alone", []),
        ("9" * 30, []),
    ],
)
def test_each_spelling_of_a_number_is_read(text, expected):
    assert [one.value for one in find_numbers(text)] == expected


def test_per_cent_is_marked():
    (found,) = find_numbers("45 %")

    assert (found.value, found.percent) == (45, True)


def test_a_million_digits_before_a_letter_are_passed_over():
    assert find_numbers("1" * 1_000_000 + "ab") == []


@settings(max_examples=100)
@given(st.text(alphabet="0123456789,.$%k- twohundredfive", max_size=60))
def test_no_text_breaks_the_search(text):
    for one in find_numbers(text):
        assert 0 <= one.start < one.end <= len(text)
