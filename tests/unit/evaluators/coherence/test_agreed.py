from __future__ import annotations

import pytest

from healing_eval.evaluators.coherence.agreed import check
from healing_eval.testing.builders import a_tool_call


@pytest.mark.parametrize(
    ("asked", "confirmed", "kind"),
    [
        ("Book a table at 7 pm.", "Your table is booked for 8 pm.", "time"),
        ("Schedule it on Monday.", "I have scheduled it on Tuesday.", "weekday"),
        ("Remind me on May 4th.", "I will remind you on May 5th.", "day"),
        ("A table for 4 people, please.", "I have booked a table for six people.", "number"),
    ],
)
def test_confirming_another_value_contradicts_the_user(talk, asked: str, confirmed: str, kind: str) -> None:
    [found] = check(talk(f"u: {asked}", f"a: {confirmed}"))

    assert (found.type, found.turn_id) == ("user_contradiction", 2)
    assert kind in found.description


def test_confirming_another_value_than_the_agent_named_contradicts_itself(talk) -> None:
    [found] = check(talk("u: Any table tonight?", "a: There is one at 7 pm.", "u: Take it.", "a: Booked for 8 pm."))

    assert found.type == "self_contradiction"


@pytest.mark.parametrize(
    "reply",
    [
        "Your table is booked for 7 pm.",
        "Your table is booked for 19:00.",
        "Shall I book 8 pm?",
        "Sorry, 7 pm is taken, I booked 8 pm.",
        "Please confirm: booked for 8 pm.",
        "Would be booked for 8 pm.",
        "It is 8 pm.",
        "Booked for 8 pm and 9 pm.",
    ],
)
def test_the_same_value_a_question_or_a_hedge_is_no_contradiction(talk, reply: str) -> None:
    assert list(check(talk("u: Book a table at 7 pm.", f"a: {reply}"))) == []


def test_a_value_from_a_tool_is_no_contradiction(talk) -> None:
    call = a_tool_call("book", {"day": "x"}, result={"time": "8 pm"})

    assert list(check(talk("u: Book a table at 7 pm.", "a: Your table is booked for 8 pm.", call))) == []


def test_two_values_of_the_user_decide_nothing(talk) -> None:
    assert list(check(talk("u: At 7 pm, no, 9 pm.", "a: Your table is booked for 8 pm."))) == []


def test_tool_calls_are_searched_a_few_times_only(talk) -> None:
    confirmations = [f"a: Booked for {hour} pm." for hour in range(1, 7)]

    found = list(check(talk("u: Book a table at 7 pm.", *confirmations)))

    assert len(found) == 3


def test_what_is_said_after_a_confirmation_is_not_held_against_it(talk) -> None:
    lines = (
        "u: Book a table at 7 pm.",
        "a: Your table is booked for 7 pm.",
        "u: Make that 9 pm.",
        "a: Booked for 9 pm.",
    )

    assert list(check(talk(*lines))) == []
