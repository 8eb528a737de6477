from __future__ import annotations

import re
from itertools import count

from jsonschema_rs import validator_for

from healing_eval.evaluators.judge.prompt import answer_schema, write_prompt
from healing_eval.evaluators.judge.rubric import load_rubric
from healing_eval.evaluators.judge.window import choose_window
from healing_eval.testing.builders import a_conversation
from healing_eval.testing.fake_answers import honest

RUBRIC = load_rubric()


def test_what_never_changes_stands_first_and_the_conversation_last() -> None:
    window = choose_window(a_conversation(), 4000)
    numbers = count()

    prompts = [write_prompt(RUBRIC, window, lambda: f"nonce{next(numbers)}") for _ in range(2)]

    assert prompts[0].messages[0] == prompts[1].messages[0]
    assert prompts[0].messages[0].content == RUBRIC.text
    assert prompts[0].messages[1].content.count("nonce0") == 4
    assert prompts[0].nonce != prompts[1].nonce


def test_what_is_left_out_and_what_was_wrong_is_said_before_the_data() -> None:
    window = choose_window(a_conversation("c", 400), 600)

    said = write_prompt(RUBRIC, window, lambda: "n1", "the nonce was not repeated").messages[1].content

    before = said[: said.index("<conversation-")]
    assert re.search(r"turns 1-\d+ of 400 left out", before)
    assert "the nonce was not repeated" in before


def test_an_honest_answer_has_the_shape_that_is_asked_for() -> None:
    prompt = write_prompt(RUBRIC, choose_window(a_conversation(), 4000), lambda: "n1")
    answer = honest([{"role": one.role, "content": one.content} for one in prompt.messages])
    schema = validator_for(answer_schema(RUBRIC))

    assert schema.is_valid(answer)
    assert not schema.is_valid(answer | {"confidence": 0.9})
    answer["criteria"][0]["score"] = 87
    assert not schema.is_valid(answer)
