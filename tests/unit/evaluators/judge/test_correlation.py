"""Is a jury of copies worth one judge, and one of strangers its number?"""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.evaluators.judge.correlation import FEWEST_ITEMS, Correlations, effective_votes, independent_votes

JUDGES = ("a", "b", "c")
EQUAL: dict[str, float] = dict.fromkeys(JUDGES, 1.0)


def seen(items: list[dict[str, float]]) -> Correlations:
    found = Correlations(JUDGES)
    for item in items:
        found.add(item)
    return found


def test_the_effective_number_has_its_published_value() -> None:
    # three judges whose errors correlate by .57 on average: 1.40 votes
    assert effective_votes(3, 0.57) == pytest.approx(1.40, abs=0.005)
    assert effective_votes(3, 0.0) == 3
    assert effective_votes(3, 1.0) == 1
    assert effective_votes(3, -0.4) == 3


def test_weights_alone_make_a_jury_smaller() -> None:
    assert independent_votes([1, 1, 1]) == pytest.approx(3)
    assert independent_votes([8, 1, 1]) == pytest.approx(100 / 66)


def test_copies_of_one_judge_are_one_vote() -> None:
    draw = random.Random(3)

    found = seen([dict.fromkeys(JUDGES, draw.random()) for _ in range(100)])

    assert found.effective_votes(EQUAL) == pytest.approx(1)


def test_judges_that_have_nothing_in_common_are_nearly_their_number() -> None:
    draw = random.Random(3)

    found = seen([{judge: float(draw.random() < 0.3) for judge in JUDGES} for _ in range(3000)])

    assert found.effective_votes(EQUAL) == pytest.approx(3, abs=0.15)


def test_with_equal_weights_it_is_the_formula_of_the_mean_correlation() -> None:
    draw = random.Random(3)
    items: list[dict[str, float]] = []
    for _ in range(200):
        common = draw.random()
        items.append({judge: common + share * draw.random() for judge, share in (("a", 0.5), ("b", 1), ("c", 2))})

    found = seen(items)

    pairs = [found.between(one, other) for one, other in (("a", "b"), ("a", "c"), ("b", "c"))]
    mean = statistics.fmean(pair for pair in pairs if pair is not None)
    assert found.effective_votes(EQUAL) == pytest.approx(effective_votes(3, mean))


def test_judges_that_contradict_each_other_are_not_more_than_their_number() -> None:
    found = seen([{"a": item % 2, "b": 1 - item % 2} for item in range(50)])

    assert found.between("a", "b") == pytest.approx(-1)
    assert found.effective_votes({"a": 1.0, "b": 1.0}) == pytest.approx(2)


def test_too_few_items_tell_nothing() -> None:
    found = seen([{"a": item % 2, "b": item % 2} for item in range(FEWEST_ITEMS - 1)])
    before = found.effective_votes({"a": 1.0, "b": 1.0})

    found.add({"a": 0.0, "b": 0.0})

    assert before is None
    assert found.effective_votes({"a": 1.0, "b": 1.0}) == pytest.approx(1)


def test_only_items_that_both_voted_on_count_and_strangers_are_passed_over() -> None:
    found = seen([{"a": item % 2, "stranger": 1.0} for item in range(100)])

    assert found.between("a", "b") is None
    assert found.between("a", "stranger") is None


def test_a_judge_that_always_says_the_same_cannot_be_compared() -> None:
    found = seen([{"a": 0.9, "b": item / 100} for item in range(100)])

    assert found.between("a", "b") is None
    assert found.effective_votes({"a": 1.0, "b": 1.0}) is None


def test_one_vote_is_one_vote() -> None:
    assert Correlations(JUDGES).effective_votes({"a": 2.0}) == pytest.approx(1)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=FEWEST_ITEMS, max_size=60))
def test_a_running_correlation_equals_that_of_all(said: list[tuple[float, float]]) -> None:
    first, second = zip(*said, strict=True)
    found = seen([{"b": one, "a": other} for one, other in said]).between("a", "b")

    if min(statistics.pvariance(first), statistics.pvariance(second)) > 1e-6:
        assert found == pytest.approx(statistics.correlation(first, second), abs=1e-6)
