"""Does a calibrated judge mean what it says?"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.metaeval.calibration import Platt, fit_platt, logit
from healing_eval.metaeval.scoring import log_loss


def test_of_bare_votes_each_gets_the_share_that_was_true_of_it() -> None:
    # 40 votes of 1, of which 30 true; 60 of 0, of which 15 true; the targets are 46/47 and 1/57
    values = [1.0] * 40 + [0.0] * 60
    truths = [True] * 30 + [False] * 10 + [True] * 15 + [False] * 45

    curve = fit_platt(values, truths)

    assert curve(1.0) == pytest.approx((30 * 46 / 47 + 10 / 57) / 40, abs=2e-3)
    assert curve(0.0) == pytest.approx((15 * 46 / 47 + 45 / 57) / 60, abs=2e-3)


def test_an_overconfident_judge_is_pulled_towards_the_middle_and_loses_less() -> None:
    draw = random.Random(5)
    real = [draw.uniform(0.15, 0.85) for _ in range(2000)]
    truths = [draw.random() < chance for chance in real]
    said = [Platt(3.0, 0.5)(chance) for chance in real]

    curve = fit_platt(said[:1000], truths[:1000])

    assert curve.slope == pytest.approx(1 / 3, abs=0.06)
    before, after = (log_loss(values, truths[1000:]) for values in (said[1000:], [*map(curve, said[1000:])]))
    assert before is not None
    assert after is not None
    assert after < before - 0.02


def test_a_judge_that_is_fooled_is_turned_round() -> None:
    curve = fit_platt([0.9, 0.1] * 50, [False, True] * 50)

    assert curve.slope < 0
    assert curve(0.9) < 0.1


def test_a_judge_that_always_says_the_same_is_worth_the_base_rate() -> None:
    curve = fit_platt([0.8] * 40, [True] * 10 + [False] * 30)

    assert curve(0.8) == pytest.approx(0.25, abs=0.03)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30), st.floats(0, 1))
def test_whatever_was_seen_a_calibrated_value_is_a_probability(said: list[tuple[float, bool]], value: float) -> None:
    curve = fit_platt([one for one, _ in said], [truth for _, truth in said])

    assert 0 <= curve(value) <= 1


def test_the_logit_of_0_and_1_is_finite() -> None:
    assert logit(1.0) == pytest.approx(-logit(0.0))
    assert logit(0.5) == 0
    assert logit(1.0, 0.01) == pytest.approx(4.595, abs=1e-3)
