from __future__ import annotations

import pytest

from healing_eval.evaluators.judge.tokens import estimate_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), (" \n\t", 0), ("Lisbon", 1), ("internationalisation", 3), ("2026", 2), ("a b c", 3), ("{}[]", 2)],
)
def test_words_numbers_and_marks_are_counted(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_a_part_never_takes_more_than_the_whole() -> None:
    text = "Flight LH 123 leaves at 10:15, gate A4. " * 20

    estimates = [estimate_tokens(text[:end]) for end in range(0, len(text), 7)]

    assert estimates == sorted(estimates)


def test_a_character_is_at_least_a_seventh_of_a_token() -> None:
    assert estimate_tokens("x" * 7000) == 1000
