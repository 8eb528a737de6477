"""Does "this week" stand for any of its days, or only for the weekday beside it?"""

import pytest

from healing_eval.evaluators.tool_call.grounding.weeks import unbound_week


@pytest.mark.parametrize(
    "text", ["on friday next week", "friday of next week", "next week on the friday", "next week friday"]
)
def test_a_week_beside_a_weekday_stands_for_that_day(text):
    assert unbound_week(text, "next week") == -1


@pytest.mark.parametrize(
    "text", ["sometime next week", "friday or any day next week", "friday next week or later next week"]
)
def test_a_week_by_itself_stands_for_all_its_days(text):
    assert unbound_week(text, "next week") == text.rindex("next week")


def test_only_that_weekday_has_a_ground(grounded):
    said = "a table on Friday this week"

    assert grounded(said, day="2025-03-07") == [True]
    assert grounded(said, day="2025-03-05") == [False]
    assert grounded("a table this week", day="2025-03-05") == [True]
