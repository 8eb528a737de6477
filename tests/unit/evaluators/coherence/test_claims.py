from __future__ import annotations

import pytest

from healing_eval.evaluators.coherence.claims import Claim, claims_of, content_words, denials_of, forms_of
from healing_eval.evaluators.coherence.context import Said
from healing_eval.testing.builders import a_turn


def said(text: str) -> Said:
    return Said(0, a_turn(1, "assistant", text))


def claims_in(text: str) -> list[Claim]:
    return list(claims_of(said(text), lambda _: True, denied=False))


def test_a_claim_has_the_content_words_and_the_names_of_its_clause() -> None:
    first, second = claims_in("Your order is shipped to Paris in 3 boxes, and we charged the card.")

    assert first.words == {"order", "ship", "pari", "3", "box"}
    assert first.names == {"pari", "3"}
    assert (first.denied_word, first.person) == (None, "your")
    assert (second.text, second.person) == ("we charged the card.", None)


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("The fee is not refundable.", "refundabl"),
        ("The fee is non-refundable.", "refundabl"),
        ("You are ineligible.", "eligibl"),
        ("There is no pool at the hotel.", "pool"),
        ("I cannot access the files.", "acces"),
        ("The flight is without stops.", "stop"),
        ("I wish I had a dog.", "hav"),
    ],
)
def test_a_denial_names_the_word_it_denies(text: str, denied: str) -> None:
    [claim] = denials_of(said(text))

    assert claim.denied_word == denied


@pytest.mark.parametrize(
    "text",
    [
        "Not refundable.",
        "Is it not refundable?",
        "It is not impossible.",
        "I was not able to cancel it.",
        "I will not cancel the order.",
        "The pool is not.",
        "It is not it.",
        "I wish I was not here.",
        "No.",
        "The pool is open.",
        " ".join(["It is not", *["open"] * 40]),
        " ".join(["It is not", *["open"] * 400]),
    ],
)
def test_what_is_no_plain_denial_is_left_out(text: str) -> None:
    assert list(denials_of(said(text))) == []


def test_sentences_that_are_not_worth_reading_are_not_read() -> None:
    turn = said("The pool is open. The bar is closed.\nThe gym is open.")

    found = claims_of(turn, lambda text: "pool" in text or "gym" in text, denied=False)

    assert [claim.text for claim in found] == ["the pool is open.", "the gym is open."]
    assert list(claims_of(turn, lambda text: "lobby" in text, denied=False)) == []


@pytest.mark.parametrize(
    "forms", [["ship", "ships", "shipped", "shipping"], ["policy", "policies"], ["fee", "fees"], ["access", "accessed"]]
)
def test_the_forms_of_a_word_are_compared_as_one(forms: list[str]) -> None:
    assert len(set(content_words(forms))) == 1


def test_opposites_and_forms_are_compared_as_one_word() -> None:
    assert content_words(["hates", "the", "closed", "doors", "not"]) == ["lik", "open", "door"]
    assert set(forms_of("lik")) >= {"lik", "hate", "dislike", "love"}
