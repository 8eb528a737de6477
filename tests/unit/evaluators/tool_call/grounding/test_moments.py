"""Which dates and times were said?"""

import pytest

from healing_eval.evaluators.tool_call.grounding.moments import read_moment


@pytest.mark.parametrize("value", ["2025-03-07", "07/03/2025", "17:30", "5:30 PM", "2025-03-07T10:20:00Z", "12-31"])
def test_a_value_that_is_nothing_but_a_date_or_time_is_a_moment(value):
    assert read_moment(value) is not None


@pytest.mark.parametrize(
    "value", ["flight 17:30", "12", "99-99", "99:99", "2025-13-40 10:00", "1.2.3", "2025-03-07 and more", ""]
)
def test_other_values_are_none(value):
    assert read_moment(value) is None


@pytest.mark.parametrize("value", ["2025-03-07 00:00:00", "2025-03-07T23:59:59Z", "2025-03-07 00:00"])
def test_the_edges_of_a_day_stand_for_the_day(value):
    moment = read_moment(value)

    assert moment is not None
    assert not moment.minutes


def test_a_full_hour_is_no_edge_of_a_day(grounded):
    assert grounded("on 2025-03-07 at 10 am", at="2025-03-07 14:00:00") == [False]


@pytest.mark.parametrize("said", ["on 9/17", "by 9-17 please", "2025-9-17", "17.09.2025", "September 17", "the 17th"])
def test_a_date_may_lack_its_year_or_month(grounded, said):
    assert grounded(said, day="2025-09-17") == [True]


@pytest.mark.parametrize(
    "said", ["2024-09-17", "version 1.9-17.2", "call 555-9-17", "September 17, 2024", "August 17th"]
)
def test_a_part_of_something_else_is_no_date(grounded, said):
    assert grounded(said, day="2025-09-17") == [False]


def test_dashes_of_any_kind_separate_a_date(grounded):
    assert grounded("born 2001\u201104\u201112", dob="2001-04-12") == [True]
