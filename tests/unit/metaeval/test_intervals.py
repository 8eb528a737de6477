"""Do the bounds hold the truth as often as they say?"""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.metaeval.intervals import RunningMean, mean_interval, t_quantile, wilson_interval

SCORES = st.floats(0, 1, allow_nan=False)


def mean_of(values: list[float]) -> RunningMean:
    running = RunningMean()
    for value in values:
        running.add(value)
    return running


def test_the_wilson_interval_has_its_published_values() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }

    for (successes, n), (low, high) in published.items():
        found = wilson_interval(successes, n)

        assert found is not None
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_within_its_bounds_and_these_within_0_and_1(counted: tuple[int, int]) -> None:
    found = wilson_interval(*counted)

    assert found is not None
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert found.low < found.high


def test_nothing_counted_has_no_share() -> None:
    assert wilson_interval(0, 0) is None


@pytest.mark.parametrize(("n", "share"), [(10, 0.5), (40, 0.9), (200, 0.03)])
def test_wilson_bounds_hold_the_true_share_about_as_often_as_they_say(n: int, share: float) -> None:
    draw = random.Random(11)
    rounds = 4000

    held = 0
    for _ in range(rounds):
        found = wilson_interval(sum(draw.random() < share for _ in range(n)), n)
        assert found is not None
        held += found.low <= share <= found.high

    assert 0.92 <= held / rounds <= 0.985


@pytest.mark.parametrize("n", [3, 8, 60])
def test_bounds_of_a_mean_hold_the_true_mean_about_as_often_as_they_say(n: int) -> None:
    draw = random.Random(7)
    rounds = 4000

    held = 0
    for _ in range(rounds):
        found = mean_of([draw.betavariate(4, 3) for _ in range(n)]).interval()
        assert found is not None
        held += found.low <= 4 / 7 <= found.high

    assert 0.935 <= held / rounds <= 0.97


@pytest.mark.parametrize(
    ("p", "degrees", "published", "tolerance"),
    [
        (0.975, 1, 12.7062, 1e-5),
        (0.975, 2, 4.30265, 1e-5),
        (0.975, 3, 3.18245, 2e-3),
        (0.975, 5, 2.57058, 2e-4),
        (0.975, 30, 2.04227, 1e-5),
        (0.995, 3, 5.84091, 1.5e-2),
        (0.995, 10, 3.16927, 1e-4),
        (0.975, 10_000, 1.96020, 1e-5),
    ],
)
def test_quantiles_of_t_have_their_published_values(p: float, degrees: int, published: float, tolerance: float) -> None:
    assert t_quantile(p, degrees) == pytest.approx(published, rel=tolerance)


@given(st.lists(SCORES, min_size=2, max_size=50))
def test_a_running_mean_equals_the_mean_of_all(values: list[float]) -> None:
    running = mean_of(values)

    assert running.mean == pytest.approx(statistics.fmean(values))
    assert running.variance == pytest.approx(statistics.variance(values), abs=1e-9)


@given(st.lists(SCORES, min_size=2, max_size=50))
def test_a_mean_lies_within_its_bounds_and_these_within_0_and_1(values: list[float]) -> None:
    found = mean_of(values).interval()

    assert found is not None
    assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_one_score_has_a_mean_but_no_bounds() -> None:
    running = mean_of([0.4])

    assert running.mean == 0.4
    assert running.interval() is None
    assert RunningMean().mean is None


def test_scores_all_alike_are_not_certain() -> None:
    found = mean_of([1.0, 1.0, 1.0]).interval()

    assert found is not None
    assert found.low < 0.5
    assert found.high == 1


def test_a_mean_of_any_size_has_the_bounds_of_student() -> None:
    found = mean_interval([10.0, 20.0, 30.0])

    # t(.975, 2) = 4.303, standard error 10 / sqrt(3)
    assert found is not None
    assert found.estimate == pytest.approx(20)
    assert (found.low, found.high) == pytest.approx((20 - 24.84, 20 + 24.84), abs=0.01)


def test_a_mean_of_one_value_has_no_bounds() -> None:
    assert mean_interval([3.0]) is None
    assert mean_interval([]) is None
