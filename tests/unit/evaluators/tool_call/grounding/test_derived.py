"""Which dates and times follow from others?"""

import pytest


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("at 2 pm, and remind me 10 minutes before", "13:50"),
        ("from 8:00, for half an hour", "08:30"),
        ("from 3-5 this afternoon", "17:00"),
        ("from 8 am to 9", "09:00"),
        ("I leave at 4", "16:00"),
        ("some time around 6 pm", "19:00"),
        ("wake me in two hours", "11:00"),
    ],
)
def test_a_time_follows_from_a_stated_time_and_span(grounded, said, at):
    assert grounded(said, at=at) == [True]


@pytest.mark.parametrize(
    ("said", "at"), [("at 2 pm for an hour", "16:00"), ("at 2 pm", "15:00"), ("at 2 pm", "02:00"), ("at 4", "17:00")]
)
def test_another_time_does_not(grounded, said, at):
    assert grounded(said, at=at) == [False]


def test_what_has_no_stated_end_lasts_an_hour(grounded):
    assert grounded("a meeting at 2 pm", end_time="15:00") == [True]


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("from July 15th for three nights", "2023-07-18"),
        ("the night of July 15th", "2023-07-16"),
        ("weekly from 2023-10-02", "2023-10-16"),
        ("monthly from 2023-10-02", "2023-12-02"),
        ("on the first day of the month", "2023-11-01"),
        ("today is 2023-10-02, I go tomorrow", "2023-10-03"),
        ("after 2023-10-02, on Friday", "2023-10-06"),
        ("tomorrow", "2023-10-06"),
    ],
)
def test_a_day_follows_from_what_was_said(grounded, said, day):
    assert grounded(said, day=day) == [True]


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("from July 15th for three nights", "2023-07-20"),
        ("weekly from 2023-10-02", "2023-10-17"),
        ("today is 2023-10-02, I go tomorrow", "2023-11-03"),
        ("after 2023-10-02, on Friday", "2024-10-04"),
        ("for 9 weeks", "9999-12-31"),
    ],
)
def test_another_day_does_not(grounded, said, day):
    assert grounded(said, day=day) == [False]


def test_tomorrow_means_one_day_only(grounded):
    assert grounded("I leave tomorrow", start="2023-10-06", stop="2023-10-07", other="2023-10-20") == [
        True,
        True,
        False,
    ]
