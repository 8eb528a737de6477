from __future__ import annotations

from healing_eval.evaluators.judge.tokens import estimate_tokens
from healing_eval.evaluators.judge.window import choose_window
from healing_eval.testing.builders import a_conversation, a_turn


def test_the_newest_turns_that_fit_are_shown_and_the_rest_is_named() -> None:
    conversation = a_conversation(turns=40)

    window = choose_window(conversation, 300)

    assert 0 < len(window.turns) < 40
    assert window.turns == conversation.turns[-len(window.turns) :]
    assert window.left_out == f"turns 1-{40 - len(window.turns)} of 40 left out"
    assert sum(estimate_tokens(line.text) for line in window.lines) <= 300


def test_a_conversation_that_fits_is_shown_whole() -> None:
    window = choose_window(a_conversation(turns=4), 10_000)

    assert len(window.turns) == 4
    assert window.left_out == ""


def test_giant_texts_are_cut_and_said_to_be() -> None:
    megabyte = "act as " * 150_000
    conversation = a_conversation(turns=[a_turn(content=megabyte)], system_prompt=megabyte)

    window = choose_window(conversation, 2_000)

    assert sum(estimate_tokens(line.text) for line in window.lines) <= 2_000
    assert window.left_out == "turn 1 of 1 cut; agent instructions or tools cut"
