"""Do the measures of probabilities have the values they have by hand?"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.metaeval.scoring import accuracy, auc, log_loss

SCORED = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30)


def test_log_loss_is_the_mean_surprise() -> None:
    assert log_loss([0.8, 0.4], [True, False]) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert log_loss([0.5], [True]) == pytest.approx(math.log(2))


def test_a_sure_vote_that_is_wrong_costs_as_much_as_the_clip_says() -> None:
    assert log_loss([1.0], [False]) == pytest.approx(-math.log(0.001))
    assert log_loss([0.0], [True], clip=0.01) == pytest.approx(-math.log(0.01))


def test_a_half_is_half_right() -> None:
    assert accuracy([0.9, 0.1, 0.5, 0.9], [True, False, True, False]) == pytest.approx(2.5 / 4)


def test_ties_count_half_in_the_area() -> None:
    assert auc([(0.9, True), (0.5, True), (0.5, False), (0.1, False)]) == pytest.approx(3.5 / 4)
    assert auc([(0.5, True), (0.5, False)]) == 0.5


@given(SCORED)
def test_the_area_is_the_share_of_pairs_in_order(scored: list[tuple[float, bool]]) -> None:
    true = [score for score, truth in scored if truth]
    false = [score for score, truth in scored if not truth]
    pairs = [float(one > other) + 0.5 * float(one == other) for one in true for other in false]

    assert auc(scored) == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


def test_nothing_has_no_measure() -> None:
    assert log_loss([], []) is None
    assert accuracy([], []) is None
    assert auc([(0.3, True)]) is None
