from __future__ import annotations

import pytest

from healing_eval.evaluators.coherence.frustration import check, frustration_risk


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("This is useless, you can't do anything!!!", "says so openly"),
        ("I already told you, it is the wrong one. This is ridiculous.", "says so openly"),
        ("No, I said the RED one, that's not what I asked for. Let me talk to a human.", "already said it"),
        ("NO, THIS IS NOT WHAT I WANTED. WRONG AGAIN", "shouts"),
    ],
)
def test_open_dissatisfaction_is_an_issue(talk, text: str, reason: str) -> None:
    context = talk("u: Where is my order?", "a: Sorry, I couldn't find it.", f"u: {text}")

    found = list(check(context))

    assert [one.type for one in found] == ["user_frustration"]
    assert reason in found[0].description


@pytest.mark.parametrize("text", ["Thanks, that is great!", "No, that is all.", "Not today, another one please.", ""])
def test_ordinary_turns_are_no_issue(talk, text: str) -> None:
    assert list(check(talk("u: Where is my order?", "a: It is on its way.", f"u: {text}"))) == []


def test_thanks_lower_the_risk_and_refusals_and_failures_raise_it(talk) -> None:
    content = frustration_risk(talk("u: Hello there.", "a: It is booked.", "u: Great, thanks."))[-1]
    neutral = frustration_risk(talk("u: Hello there.", "a: It is booked.", "u: The red hat."))[-1]
    refused = frustration_risk(talk("u: Hello there.", "a: Sorry, I couldn't book it.", "u: No, not that."))[-1]

    assert 0 <= content.value < neutral.value < refused.value <= 1
    assert refused.reasons == ("says no", "the agent could not do it", "negates")
    assert neutral.reasons == ()


def test_trouble_weighs_on_the_next_turn(talk) -> None:
    after_trouble = talk("u: No, wrong, useless!", "a: Red?", "u: The red hat.")
    after_peace = talk("u: A hat.", "a: Red?", "u: The red hat.")

    assert frustration_risk(after_trouble)[-1].value > frustration_risk(after_peace)[-1].value


def test_saying_it_again_is_rephrasing(talk) -> None:
    context = talk(
        "u: Please cancel my order number 77 today.",
        "a: Our shops open at nine.",
        "u: Cancel my order number 77 today please.",
    )

    [found] = check(context)

    assert (found.type, found.turn_id) == ("user_rephrasing", 3)
    assert "says it again" in frustration_risk(context)[-1].reasons


@pytest.mark.parametrize("again", ["Yes, please cancel my order number 77 today.", "Please cancel it."])
def test_agreeing_or_saying_little_is_no_rephrasing(talk, again: str) -> None:
    context = talk("u: Please cancel my order number 77 today.", "a: Shall I cancel it?", f"u: {again}")

    assert list(check(context)) == []


def test_two_turns_of_the_user_in_a_row_are_no_rephrasing(talk) -> None:
    line = "u: Please cancel my order number 77 today."

    assert list(check(talk(line, line, "a: Done."))) == []


def test_an_agent_that_repeats_itself_raises_the_risk(talk) -> None:
    context = talk(
        "u: My router is broken.",
        "a: Please restart the router now.",
        "u: Did.",
        "a: Please restart the router now.",
        "u: Hm.",
    )

    assert "the agent repeats itself" in frustration_risk(context)[-1].reasons


def test_the_thresholds_are_options(talk) -> None:
    lines = ("u: Where is it?", "a: Sorry, I couldn't find it.", "u: This is useless!!!")

    assert list(check(talk(*lines, frustration_threshold=1.0))) == []
