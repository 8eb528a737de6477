"""What is read from the passages?"""

import pytest

from healing_eval.evaluators.tool_call.grounding.evidence import Evidence
from healing_eval.evaluators.values.text import Passages


def test_each_value_knows_its_first_piece():
    evidence = Evidence(Passages(["at 5:30 pm", "costs 12 on 2025-03-07", "12 at 17:30"]))

    assert evidence.times[1050] == 0
    assert evidence.numbers[12.0] == 1
    assert evidence.dates[3, 7] == [(2025, 1)]


def test_the_name_of_a_month_that_names_no_day_is_passed_over():
    evidence = Evidence(Passages(["You may track it (ref 12). May 3rd, or 5 May 2025, not Maybelline 7"]))

    assert {(one.year, one.day) for one in evidence.named(5)} == {(None, 3), (2025, 5)}


def test_today_is_known_when_one_day_is_said_to_be_it():
    assert Evidence(Passages(["The current time is 2024-05-15 15:00:00 EST."])).today is not None
    assert Evidence(Passages(["Today is 2024-05-15.", "today is 2024-05-16"])).today is None


@pytest.mark.parametrize("text", ["5-31 1", "31st may ", "in a a ", "at 1 1 ", "may ", "first of the "])
def test_a_megabyte_of_near_misses_is_read_in_time(text):
    evidence = Evidence(Passages([text * (1_000_000 // len(text))]))

    assert len(evidence.named(5)) <= 1000
    assert len(evidence.spans) + len(evidence.bare_hours) <= 1000
    assert evidence.counts_from_now
    assert evidence.today is None
