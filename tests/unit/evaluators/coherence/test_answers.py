from __future__ import annotations

import pytest

from healing_eval.evaluators.coherence.answers import check


@pytest.mark.parametrize(
    ("request_text", "reply", "make"),
    [
        ("Schedule lunch with Ana at noon.", "You're welcome!", "farewell"),
        ("When does the shop close?", "I don't know.", "empty phrase"),
        ("Did my parcel leave the depot yet?", "Did my parcel leave the depot yet?", "echo"),
    ],
)
def test_a_reply_without_content_leaves_the_request_unanswered(talk, request_text: str, reply: str, make: str) -> None:
    [found] = check(talk(f"u: {request_text}", f"a: {reply}"))

    assert (found.type, found.turn_id) == ("unanswered_request", 2)
    assert make in found.signature


def test_a_question_asked_again_after_an_unrelated_reply_was_not_answered(talk) -> None:
    question = "u: What is the refund deadline for shoes?"

    [found] = check(talk(question, "a: Our team loves helping people.", question, "a: Thirty days."))

    assert found.turn_id == 2


@pytest.mark.parametrize(
    "reply", ["The refund deadline is soon.", "It is 30 days.", "Which pair?", "Let me look up shoes."]
)
def test_a_reply_that_shares_something_may_be_an_answer(talk, reply: str) -> None:
    question = "u: What is the refund deadline for shoes?"

    assert list(check(talk(question, f"a: {reply}", question))) == []


@pytest.mark.parametrize("text", ["Thanks, that is all.", "Perfect.", "I am off now."])
def test_a_farewell_to_a_farewell_is_fine(talk, text: str) -> None:
    assert list(check(talk(f"u: {text}", "a: You're welcome!", "a: Bye"))) == []


def test_the_last_reply_of_an_incomplete_conversation_is_not_judged(talk) -> None:
    lines = ("u: When does the shop close?", "a: I don't know.")

    assert list(check(talk(*lines, complete=False))) == []


def test_other_questions_and_short_ones_are_not_repetitions(talk) -> None:
    assert list(check(talk("u: What is the deadline now?", "a: Hello there.", "u: Where are you based today?"))) == []
    assert list(check(talk("u: Why?", "a: Hello there.", "u: Why?"))) == []
