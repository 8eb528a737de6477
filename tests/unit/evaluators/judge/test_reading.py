from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_eval.errors import UnreadableVerdict
from healing_eval.evaluators.judge.reading import read_answer

GOOD = {"nonce": "n", "criteria": [{"name": "help", "score": 4}]}


def read(text: str):
    return read_answer(text, criteria=["help"], nonce="n")


@pytest.mark.parametrize(("score", "expected"), [(4, 4.0), ("4", 4.0), ("0.9", 0.9), (0, 0.0), (5.0, 5.0)])
def test_numbers_are_read_however_they_are_written(score: object, expected: float) -> None:
    answer = read(json.dumps({"nonce": "n", "criteria": [{"name": "help", "score": score}]}))

    assert answer.criteria[0].score == expected
    assert answer.issues == ()


@pytest.mark.parametrize("score", [87, -1, True, None, "good", "nan", [], 10**400])
def test_what_is_no_grade_is_not_guessed_at(score: object) -> None:
    text = json.dumps({"nonce": "n", "criteria": [{"name": "help", "score": score}]})

    with pytest.raises(UnreadableVerdict) as caught:
        read(text)

    assert caught.value.raw_answer == text


@pytest.mark.parametrize("turn_id", ["4", 4, 4.0])
def test_a_turn_is_the_same_however_its_id_is_written(turn_id: object) -> None:
    answer = read(json.dumps(GOOD | {"issues": [{"type": "other", "turn_id": turn_id}]}))

    assert answer.issues[0].quote.turn_id == "4"


def test_an_answer_without_the_nonce_is_not_believed() -> None:
    with pytest.raises(UnreadableVerdict, match="nonce"):
        read(json.dumps(GOOD | {"nonce": "other"}))


@pytest.mark.parametrize(
    "text", ["", "{" * 100_000, '{"a":' * 50_000, '"' * 100_000, '{"criteria": "\\"' + '\\"' * 90_000]
)
def test_hostile_answers_are_refused(text: str) -> None:
    with pytest.raises(UnreadableVerdict):
        read(text)


@settings(max_examples=200, deadline=None)
@given(
    st.text()
    | st.recursive(
        st.none() | st.floats() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(st.sampled_from(["nonce", "criteria", "issues", "name", "score", "evidence"]), x)
        ),
    ).map(json.dumps)
)
def test_any_answer_is_read_or_refused(text: str) -> None:
    try:
        read(text)
    except UnreadableVerdict:
        return
