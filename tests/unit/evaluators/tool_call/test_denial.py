"""Is a reply found that denies what the one lookup before it returned?"""

import pytest

from healing_eval.domain.conversation import ToolCall
from healing_eval.evaluators.tool_call.denial import check_denial

FLIGHTS = {"flights": [{"id": "AZ491", "price": 120}, {"id": "AZ500", "price": 99}]}


def reply_to(context, call, reply, *, value=FLIGHTS, tool_name="search_flights"):
    return context("u Flights to Bonn?", ("", call(tool_name, value, city="Bonn")), f"a {reply}")


@pytest.mark.parametrize(
    "reply",
    [
        "I could not find any flights to Bonn.",
        "Sorry, there are no flights available.",
        "I’m afraid I couldn’t find any matches? No: there were no results.",
        "No flights were found.",
    ],
)
def test_a_plain_denial_of_a_list_with_something_in_it_is_a_contradiction(context, call, kinds, reply):
    assert kinds(check_denial(reply_to(context, call, reply))) == ["result_contradicted"]


@pytest.mark.parametrize(
    "reply",
    [
        "I could not find any flights under 90 euros.",
        "I could not find any direct flights.",
        "There are no other flights.",
        "There are no flights but AZ491.",
        "I could not find any flights. AZ491 flies the day after.",
        "I could not find any hotels.",
        "Here is what I found.",
    ],
)
def test_a_restricted_denial_or_one_that_names_what_was_found_is_none(context, call, reply):
    assert list(check_denial(reply_to(context, call, reply))) == []


@pytest.mark.parametrize(
    "value",
    [
        {"flights": []},
        {"flights": [{"id": "AZ491"}], "total": 0},
        {"flights": [{"id": "AZ491"}], "others": [1]},
        {"status": "ok"},
        "none",
        "[broken",
        None,
    ],
)
def test_an_answer_that_is_not_one_filled_list_decides_nothing(context, call, value):
    assert list(check_denial(reply_to(context, call, "I could not find any flights.", value=value))) == []


def test_a_list_as_text_counts(context, call, kinds):
    found = reply_to(context, call, "I could not find any flights.", value='[{"id": "AZ491"}]')

    assert kinds(check_denial(found)) == ["result_contradicted"]


def test_two_lookups_a_failure_or_a_change_decide_nothing(context, call):
    denied = "a I could not find any flights."
    look, failed = call("search_flights", FLIGHTS), call("search_flights", FLIGHTS, error="down")

    assert list(check_denial(context("u Flights?", ("", look, look), denied))) == []
    assert list(check_denial(context("u Flights?", ("", failed), denied))) == []
    assert list(check_denial(context("u Flights?", ("", call("book_flights", FLIGHTS)), denied))) == []
    assert list(check_denial(context("u Flights?", ("", ToolCall("search_flights")), denied))) == []
