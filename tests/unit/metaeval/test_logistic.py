"""Does the regression end where its loss is least?"""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.metaeval.logistic import fit_logistic, probability

ROW = st.lists(st.floats(-5, 5), min_size=2, max_size=2)


@given(st.lists(st.tuples(ROW, st.floats(0, 1)), min_size=1, max_size=20), st.floats(0.01, 10))
def test_at_the_end_no_weight_would_rather_be_another(drawn: list[tuple[list[float], float]], penalty: float) -> None:
    rows, targets = [row for row, _ in drawn], [target for _, target in drawn]

    found = fit_logistic(rows, targets, penalty)

    off = [found(row) - target for row, target in drawn]
    for place, weight in enumerate(found.weights):
        slope = penalty * weight + sum(each * row[place] for each, row in zip(off, rows, strict=True))
        assert slope == pytest.approx(0, abs=2e-3)


def test_it_finds_the_weights_that_made_the_truth() -> None:
    draw = random.Random(5)
    rows = [[draw.gauss(0, 1), draw.gauss(0, 1)] for _ in range(5000)]
    truths = [float(draw.random() < probability(0.5 + 2 * row[0] - row[1])) for row in rows]

    found = fit_logistic(rows, truths, penalty=1e-3)

    assert (found.intercept, *found.weights) == pytest.approx((0.5, 2, -1), abs=0.15)


def test_truths_all_alike_and_features_that_part_them_perfectly_stay_finite() -> None:
    alike = fit_logistic([[1.0], [2.0]], [1, 1], penalty=1)
    parted = fit_logistic([[-1.0], [1.0]] * 20, [0, 1] * 20, penalty=1)

    assert all(map(math.isfinite, (alike.intercept, *alike.weights, *parted.weights)))
    assert parted([1.0]) > 0.9


def test_nothing_known_is_refused() -> None:
    with pytest.raises(ValueError, match="known truth"):
        fit_logistic([], [], penalty=1)


def test_log_odds_however_large_are_a_probability() -> None:
    assert (probability(-1e4), probability(0), probability(1e4)) == (0, 0.5, 1)
