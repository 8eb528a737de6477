"""Is the model's sureness of a grade read from the right token, however its answer is cut into tokens?"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.evaluators.judge.confidence import PROTOCOL, Confidence, confidence_from
from healing_eval.ports.chat_model import TokenLogprob
from healing_eval.testing import fake_logprobs
from healing_eval.testing.fake_answers import honest, spoiled

NAMES = ("helpfulness", "factuality", "adherence")
MIND = {0: 0.0, 1: 0.02, 2: 0.03, 3: 0.05, 4: 0.3, 5: 0.6}
"""What the model thinks of each grade."""


def answer(*grades: int, reason: str = 'She said "score": 1 – ça va 😀, {"name": "x", "score": 2}') -> dict[str, Any]:
    evidence = [{"turn_id": "1", "quote": 'The "score": 0 \\ "score": 5'}]
    criteria = [
        {"name": name, "evidence": evidence, "reason": reason, "score": grade}
        for name, grade in zip(NAMES, grades, strict=False)
    ]
    return {"nonce": "abc", "criteria": criteria, "issues": []}


def written(tokens: list[str], places: set[int], mind: dict[int, float] = MIND) -> list[TokenLogprob]:
    """Give each token its likelihood; one that holds a grade's digit, at one of the places, has one for each grade."""
    listed: list[TokenLogprob] = []
    at = 0
    for token in tokens:
        inside = [place - at for place in places if at <= place < at + len(token)]
        listed.append(_undecided(token, inside[0], mind) if inside else TokenLogprob(token, 0.0, ((token, 0.0),)))
        at += len(token)
    return listed


def _undecided(token: str, offset: int, mind: dict[int, float]) -> TokenLogprob:
    def with_grade(grade: int) -> str:
        return f"{token[:offset]}{grade}{token[offset + 1 :]}"

    rows = [(with_grade(grade), math.log(share)) for grade, share in mind.items() if share]
    return TokenLogprob(token, math.log(mind[int(token[offset])]), tuple(rows))


def places_of_grades(text: str) -> set[int]:
    """Find the digits of the grades where our own writer puts them: at the end of each criterion."""
    ends = range(5, len(text))
    return {i - 1 for i in ends if text[i] == "}" and text[i - 1].isdigit() and text[i - 5 : i - 1] == 'e": '}


def measured(text: str, tokens: list[str]) -> Confidence:
    confidence = confidence_from(text, written(tokens, places_of_grades("".join(tokens))))
    assert confidence is not None
    return confidence


def check(confidence: Confidence, grades: tuple[int, ...]) -> None:
    assert [(one.name, one.grade) for one in confidence.criteria] == list(zip(NAMES, grades, strict=True))
    for one in confidence.criteria:
        assert one.probabilities == pytest.approx(tuple(MIND.values()))
        assert one.expected == pytest.approx(0.02 + 0.06 + 0.15 + 1.2 + 3.0)
        assert one.of_grade == pytest.approx(MIND[one.grade])
        assert one.seen == pytest.approx(1.0)
    assert confidence.value == pytest.approx(sum(MIND[grade] for grade in grades) / len(grades))
    assert confidence.protocol == PROTOCOL


grades_given = st.tuples(*[st.integers(1, 5)] * len(NAMES))


def cut(parts: str | bytes, at: list[int]) -> list[Any]:
    bounds = [0, *sorted(one % (len(parts) + 1) for one in at), len(parts)]
    return [parts[a:b] for a, b in pairwise(bounds)]


@given(grades=grades_given, at=st.lists(st.integers(0, 10_000), min_size=30, max_size=200))
def test_it_is_measured_however_the_answer_is_cut(grades: tuple[int, ...], at: list[int]) -> None:
    text = json.dumps(answer(*grades), ensure_ascii=False)
    around = sorted(places_of_grades(text))  # no token is so long that it holds another digit before the grade
    tokens = cut(text, [*at, *(place - 4 for place in around)])

    check(measured(text, tokens), grades)


@given(
    grades=grades_given,
    at=st.lists(st.integers(0, 10_000), min_size=100, max_size=300),
    lost=st.sampled_from(["replace", "ignore", "backslashreplace"]),
)
def test_characters_cut_in_the_middle_do_not_matter(grades: tuple[int, ...], at: list[int], lost: str) -> None:
    text = json.dumps(answer(*grades), ensure_ascii=False)
    around = [len(text[: place - 4].encode()) for place in places_of_grades(text)]
    tokens = [piece.decode("utf-8", lost) for piece in cut(text.encode(), [*at, *around])]

    check(measured(text, tokens), grades)


pieces = st.sampled_from(
    ['"name": "a"', '"name":', '"score":', '"score": 4', " ", "4", " 5", '"', "\\", "}", "9", "", "é"]
)
rows = st.tuples(pieces, st.floats(-9999, 0))


@given(st.lists(st.tuples(rows, st.lists(rows, max_size=4)), max_size=12), st.booleans(), pieces)
def test_what_is_measured_is_a_probability_whatever_came(listed: list[Any], same: bool, text: str) -> None:
    tokens = [TokenLogprob(token, logprob, tuple(others)) for (token, logprob), others in listed]

    found = confidence_from("".join(one.token for one in tokens) if same else text, tokens)

    for one in found.criteria if found else ():
        assert sum(one.probabilities) == pytest.approx(1.0)
        assert 0.5 <= one.seen <= 1.0
        assert 0.0 <= one.of_grade <= 1.0


def single(
    token: str, *others: tuple[str, float], before: str = '{"name": "a", "score":', after: str = "}"
) -> Confidence | None:
    """Measure an answer of one criterion whose grade stands in one token."""
    logprobs = [(text, math.log(share)) for text, share in [*others]]
    tokens = [TokenLogprob(before, 0.0), TokenLogprob(token, logprobs[0][1], tuple(logprobs)), TokenLogprob(after, 0.0)]
    return confidence_from(before + token + after, tokens)


def test_tokens_that_give_the_same_grade_add_up() -> None:
    found = single(" 4", (" 4", 0.4), ("4", 0.2), ("  5", 0.1), (" 3", 0.1), ('"4', 0.05), ("x4", 0.05), (" 42", 0.05))

    assert found is not None
    assert found.criteria[0].seen == pytest.approx(0.8)
    assert found.criteria[0].probabilities == pytest.approx((0, 0, 0, 0.125, 0.75, 0.125))


@pytest.mark.parametrize("token", ['": 4,', '":4', '" : 4}'])
def test_a_digit_merged_with_the_end_of_its_key_is_compared_with_its_like(token: str) -> None:
    other = token.replace("4", "2")

    found = single(token, (token, 0.6), (other, 0.2), (" 2", 0.2), before='{"name": "a", "score', after="")

    assert found is not None
    assert found.criteria[0].probabilities == pytest.approx((0, 0, 0.25, 0, 0.75, 0))


def test_the_chosen_token_counts_though_it_is_not_among_the_likeliest() -> None:
    text = '{"name": "a", "score": 1}'
    tokens = [
        TokenLogprob(text[:-2], 0.0),
        TokenLogprob("1", math.log(0.1), (("5", math.log(0.6)),)),
        TokenLogprob("}", 0.0),
    ]

    found = confidence_from(text, tokens)

    assert found is not None
    assert found.value == pytest.approx(1 / 7)


@pytest.mark.parametrize(
    ("token", "others"),
    [
        ("4", [("4", 0.3), ("a", 0.6)]),  # it was about to say something else
        ("4", [("4", 0.9), ("5", 0.9)]),  # more than all
        ("4.5", [("4.5", 0.9)]),
        ("7", [("7", 0.9), ("4", 0.1)]),
        ("42", [("42", 0.9), ("4", 0.1)]),
        ("null", [("null", 0.9), ("4", 0.1)]),
        ('{"value": 4', [('{"value": 4', 0.9)]),
    ],
)
def test_what_tells_nothing_of_a_grade_is_not_measured(token: str, others: list[tuple[str, float]]) -> None:
    assert single(token, *others) is None


def test_a_fraction_that_begins_like_a_grade_is_none() -> None:
    text = '{"name": "a", "score": 4.5}'

    assert confidence_from(text, written(["".join(text[:-4]), "4", ".5}"], set())) is None


def test_no_probabilities_no_confidence() -> None:
    text = json.dumps(answer(4, 5))

    assert confidence_from(text, None) is None
    assert confidence_from(text, ()) is None


def test_tokens_of_another_answer_are_not_believed() -> None:
    text, other = json.dumps(answer(4, 4)), json.dumps(answer(4, 3))

    assert confidence_from(text, written([*other], places_of_grades(other))) is None


def test_an_answer_whose_grades_and_names_do_not_pair_is_not_measured() -> None:
    text = json.dumps(answer(4, 4)).replace('"name": "factuality", ', "")

    assert confidence_from(text, written([*text], places_of_grades(text))) is None


@pytest.mark.parametrize("ends", range(6))
def test_of_tokens_that_end_early_what_is_there_is_measured(ends: int) -> None:
    text = json.dumps(answer(4, 5))
    tokens = [*text][: max(places_of_grades(text)) + 1 - ends]

    found = confidence_from(text, written(tokens, places_of_grades(text)))

    assert found is not None
    assert [one.name for one in found.criteria] == ["helpfulness", "factuality"][: 1 if ends else 2]


def test_of_a_criterion_graded_twice_the_last_counts() -> None:
    draft, text = json.dumps(answer(1)), json.dumps(answer(5))

    found = measured(draft + text, [*(draft + text)])

    assert [(one.name, one.grade) for one in found.criteria] == [("helpfulness", 5)]


@pytest.mark.parametrize("mode", ["ok", "fenced", "prose", "string_numbers", "trailing_commas", "zero", "nul"])
def test_it_is_measured_on_what_models_make_of_our_prompt(mode: str) -> None:
    rubric = "## helpfulness\n## factuality"
    block = (
        '<conversation-n1>\n{"tools": []}\n{"turn_id": 1, "role": "assistant", "content": "Done."}\n</conversation-n1>'
    )
    text = spoiled(honest([{"content": rubric}, {"content": block}]), mode)
    tokens = [
        TokenLogprob(one["token"], one["logprob"], tuple((top["token"], top["logprob"]) for top in one["top_logprobs"]))
        for one in fake_logprobs.listed(text, mode, 5)
    ]

    found = confidence_from(text, tokens)

    assert found is not None
    assert [one.name for one in found.criteria] == ["helpfulness", "factuality"]
    assert found.value == pytest.approx(fake_logprobs.SURE)


@pytest.mark.parametrize("mode", ["out_of_range", "wrong_types", "nan", "invalid_json", "empty"])
def test_a_grade_that_is_none_has_no_confidence(mode: str) -> None:
    block = '<conversation-n1>\n{}\n{"turn_id": 1, "role": "assistant", "content": "Done."}\n</conversation-n1>'
    text = spoiled(honest([{"content": "## helpfulness"}, {"content": block}]), mode)
    tokens = [TokenLogprob(one["token"], one["logprob"]) for one in fake_logprobs.listed(text, mode, 5)]

    assert confidence_from(text, tokens) is None
