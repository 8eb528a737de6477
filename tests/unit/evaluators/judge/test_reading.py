from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_eval.errors import UnreadableVerdict
from healing_eval.evaluators.judge.reading import read_answer, read_answers

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


anything = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
quotes = st.lists(st.fixed_dictionaries({}, optional={"turn_id": anything, "quote": anything}) | anything, max_size=2)
said = st.fixed_dictionaries(
    {"nonce": st.just("n") | anything},
    optional={
        "criteria": st.lists(
            st.fixed_dictionaries({"name": st.just("help"), "score": st.integers(0, 5) | anything, "evidence": quotes})
            | anything,
            max_size=2,
        )
        | anything,
        "issues": st.lists(st.fixed_dictionaries({}, optional={"type": anything, "quote": anything}), max_size=2),
    },
)


@settings(max_examples=300, deadline=None)
@given(st.lists(said | anything, min_size=1, max_size=3))
def test_it_says_the_same_with_and_without_words_around_it(answers: list[object]) -> None:
    text = json.dumps({"answers": answers})

    bare, in_words = (read_answers(one, criteria=["help"], nonces=["n", "m"]) for one in (text, f"Here: {text}."))

    assert bare == in_words


def test_one_of_several_in_a_shape_of_its_own_spoils_none_of_the_others() -> None:
    text = json.dumps({"answers": [GOOD, {"nonce": "m", "criteria": [3]}, 7, {"nonce": "k", "criteria": "good"}]})

    first, *others = read_answers(text, criteria=["help"], nonces=["n", "m", "k"])

    assert first == read(json.dumps(GOOD))
    assert others == [None, None]


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
