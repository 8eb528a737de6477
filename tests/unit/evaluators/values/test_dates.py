"""Which dates and times are found, and which are not?"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_eval.evaluators.values.dates import find_dates, find_times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on 2025-03-07T10:20", {(2025, 3, 7)}),
        ("due 03/04/2025", {(2025, 3, 4), (2025, 4, 3)}),
        ("by 25.12.2024", {(2024, 12, 25)}),
        ("May 20th, 2024", {(2024, 5, 20)}),
        ("the 7th of March", {(None, 3, 7)}),
        ("March seventh", {(None, 3, 7)}),
        ("7-Mar-2025", {(2025, 3, 7)}),
        ("you may 3", {(None, 5, 3)}),
        ("next Friday, or 12.5 of them", set()),
        ("2025-13-40", set()),
    ],
)
def test_each_spelling_of_a_date_is_read(text, expected):
    assert {(one.year, one.month, one.day) for one in find_dates(text)} == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17:30", {1050}),
        ("5:30", {330, 1050}),
        ("5:30 pm", {1050}),
        ("6 o'clock in the evening", {1080}),
        ("half past 4 pm", {990}),
        ("at noon", {720}),
        ("costs 5.30", set()),
    ],
)
def test_each_spelling_of_a_time_is_read(text, expected):
    assert expected <= {one.minutes for one in find_times(text)}
    assert expected or not find_times(text)


def test_the_place_of_a_date_holds_its_text():
    text = "I leave on May 20th, 2024 for good"

    (found,) = find_dates(text)

    assert text[found.start : found.end] == "May 20th, 2024"


@settings(max_examples=100)
@given(st.text(alphabet="0123456789/-.: mayjunthpm", max_size=60))
def test_no_text_breaks_the_search(text):
    for one in [*find_dates(text), *find_times(text)]:
        assert 0 <= one.start < one.end <= len(text)
