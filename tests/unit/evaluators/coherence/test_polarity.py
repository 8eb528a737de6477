from __future__ import annotations

import pytest

from healing_eval.evaluators.coherence import contradiction
from healing_eval.evaluators.coherence.polarity import check
from healing_eval.testing.builders import a_tool_call

ELIGIBLE = "a: Your order is eligible for a full refund."
NOT_ELIGIBLE = "a: Your order is not eligible for a full refund."
ASKS = "u: What about my order?"
GOES_ON = "u: Thank you. Is there anything I should know?"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("Your order is eligible for a refund.", "Your order is not eligible for a refund."),
        ("Your order is not eligible for a refund.", "Your order is eligible for a refund."),
        ("Your order is eligible for a refund.", "Unfortunately, your order is ineligible for a refund."),
        ("The standard ticket is refundable.", "The standard ticket is non-refundable."),
        ("Breakfast is included in the standard rate.", "Breakfast is excluded from the standard rate."),
        ("The hotel pool is open on Sundays.", "The hotel pool is closed on Sundays."),
        ("You will be charged a cancellation fee.", "You won't be charged a cancellation fee."),
        ("You need a visa for Japan.", "You don't need a visa for Japan."),
        ("I have access to your account history.", "I don’t have access to your account history."),
        ("Your plan includes roaming in Canada.", "Your plan does not include roaming in Canada."),
        ("I have a dog.", "I wish I had a dog."),
        ("I love walks.", "I don't like walks, but dogs are fine."),
        ("I like hot dogs.", "Well, I hate hot dogs."),
        ("The room comes with free parking.", "The room comes without free parking."),
        ("Your account is active.", "Your account is inactive."),
    ],
)
def test_the_same_words_once_affirmed_and_once_denied_contradict_each_other(talk, earlier: str, later: str) -> None:
    [found] = check(talk(ASKS, f"a: {earlier}", GOES_ON, f"a: {later}"))

    assert (found.type, found.turn_id, found.severity) == ("self_contradiction", 4, "error")
    assert "in turn 2" in found.description


@pytest.mark.parametrize(
    "later",
    [
        "Is your order not eligible for a full refund?",
        "If it is damaged your order is not eligible for a full refund.",
        "Your order is not eligible for a full refund until Monday.",
        "Your order might not be eligible for a full refund.",
        "I was wrong: your order is not eligible for a full refund.",
        "My mistake. Your order is not eligible for a full refund.",
        "Your order is no longer eligible for a full refund.",
        "Your order is not yet eligible for a full refund.",
        "You said your order is not eligible for a full refund, who told you?",
        'You wrote "your order is not eligible for a full refund".',
        "Your order is not only eligible for a full refund.",
        "Your order 77 is not eligible for a full refund.",
        "Your order from Berlin is not eligible for a full refund.",
        "The other order is not eligible for a full refund.",
        "- Your order is not eligible for a full refund",
        "1. Your order is not eligible for a full refund",
        "Your order is eligible for a full refund with no delay.",
        "Your order is eligible for a full refund.",
        "Your jacket is not eligible for a full exchange.",
        "Your order will not arrive, so a full refund is fine.",
        "Your order is not impossible.",
        "Your order is eligible, or not.",
        "Your order BX4471 is here. Your order is not eligible for a full refund.",
    ],
)
def test_what_asks_supposes_corrects_or_speaks_of_another_thing_does_not(talk, later: str) -> None:
    assert list(check(talk(ASKS, ELIGIBLE, GOES_ON, f"a: {later}"))) == []


@pytest.mark.parametrize(
    "between",
    [
        "u: I don't care, the order is eligible for a refund by law.",
        "u: And order BX4471?",
        "u: And the 2 from May?",
        "u: What about the jacket?",
        "u: And my other order?",
    ],
)
def test_what_the_user_says_in_between_may_have_changed_it(talk, between: str) -> None:
    assert list(check(talk(ASKS, ELIGIBLE, between, NOT_ELIGIBLE))) == []


def test_a_user_who_speaks_of_the_thing_but_not_of_what_is_denied_changes_nothing(talk) -> None:
    context = talk("u: Hi.", "a: I love Super Mario.", "u: Super Mario was my childhood.", "a: I hate Super Mario.")

    assert [one.turn_id for one in check(context)] == [4]


def test_a_user_who_holds_the_agent_to_its_word_changes_nothing(talk) -> None:
    [found] = check(talk(ASKS, ELIGIBLE, "u: So you say my order is eligible for a full refund.", NOT_ELIGIBLE))

    assert found.turn_id == 4


@pytest.mark.parametrize(
    ("tool", "parameters", "alarms"),
    [
        ("modify_order", {"items": 2}, 0),
        ("submit", {"what": "refund"}, 0),
        ("get_order", {"id": 1}, 1),
        ("lookupOrder", {"id": 1}, 1),
        ("send_mail", {"to": "support"}, 1),
    ],
)
def test_only_a_call_that_writes_about_it_may_have_changed_it(
    talk, tool: str, parameters: dict[str, object], alarms: int
) -> None:
    context = talk(ASKS, ELIGIBLE, GOES_ON, NOT_ELIGIBLE, a_tool_call(tool, parameters))

    assert len(list(check(context))) == alarms


def test_only_different_turns_of_the_agent_are_compared(talk) -> None:
    both = f"{ELIGIBLE} Your order is not eligible for a full refund."

    assert list(check(talk(ASKS, both, GOES_ON, "a: Have a nice day."))) == []
    assert list(check(talk("u: My order is eligible for a full refund.", NOT_ELIGIBLE))) == []
    assert list(check(talk(ASKS, ELIGIBLE, "u: My order is not eligible for a full refund.", "a: Fine."))) == []


def test_short_statements_contradict_only_when_it_is_sure_whom_they_are_about(talk) -> None:
    about_something = talk(ASKS, "a: This is a unisex salon.", GOES_ON, "a: This is not a unisex salon.")

    assert list(check(about_something)) == []


def test_sizes_and_letters_tell_things_apart(talk) -> None:
    small, large = "a: The red shirt is available in size S.", "a: The red shirt is not available in size L."

    assert list(check(talk(ASKS, small, GOES_ON, large))) == []


def test_a_number_named_before_is_still_the_same_thing(talk) -> None:
    order = "u: And my order 4471?"

    [found] = check(talk(order, ELIGIBLE, "u: So 4471 is fine?", "a: About 4471. " + NOT_ELIGIBLE[3:]))

    assert found.turn_id == 4


def test_the_contradiction_check_reports_it(talk) -> None:
    [found] = contradiction.check(talk(ASKS, ELIGIBLE, GOES_ON, NOT_ELIGIBLE))

    assert found.type == "self_contradiction"


def test_long_texts_of_denials_are_compared_a_few_times_only(talk) -> None:
    affirmed = ["a: " + "Your order is eligible for a full refund. " * 90] * 20
    denied = ["a: " + "Your order is not eligible for a full refund. " * 90] * 20

    found = list(check(talk(ASKS, *affirmed, *denied)))

    assert 1 <= len(found) <= 5


def test_beyond_a_limit_nothing_is_read(talk) -> None:
    filler = ["a: " + "Fine weather here. " * 200] * 60

    assert list(check(talk(ASKS, ELIGIBLE, *filler, NOT_ELIGIBLE))) == []
