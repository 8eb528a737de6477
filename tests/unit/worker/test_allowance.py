"""How many may wait for a model?"""

from __future__ import annotations

from healing_eval.worker.allowance import FIRST, QUICK_SECONDS, Allowance


def a_round(allowance: Allowance, seconds: float) -> None:
    """Have all that is allowed answered, in so many seconds."""
    for _ in range(allowance.now):
        allowance.answered(1, seconds, in_hand=allowance.now)


def test_it_doubles_with_each_round_up_to_the_most() -> None:
    allowance = Allowance(100)

    seen = [allowance.now]
    for _ in range(4):
        a_round(allowance, 0.8)
        seen.append(allowance.now)

    assert seen == [FIRST, 2 * FIRST, 4 * FIRST, 100, 100]


def test_a_model_that_answers_one_after_the_other_is_not_flooded() -> None:
    allowance = Allowance(1000)

    for _ in range(20):
        a_round(allowance, 0.1 * allowance.now)

    assert allowance.now <= 4 * FIRST


def test_a_model_that_answers_at_once_is_not_taken_for_slow_where_we_are() -> None:
    allowance = Allowance(10_000)

    for seconds in (0.001, QUICK_SECONDS, QUICK_SECONDS):
        a_round(allowance, seconds)
    assert allowance.now == 8 * FIRST

    a_round(allowance, 1.1 * QUICK_SECONDS)
    assert allowance.now == 8 * FIRST


def test_what_is_not_in_use_does_not_grow() -> None:
    allowance = Allowance(100)

    for _ in range(100):
        allowance.answered(1, 0.8, in_hand=1)

    assert allowance.now == FIRST


def test_failures_of_one_round_halve_it_once_and_it_never_ends_at_none() -> None:
    allowance = Allowance(100)

    allowance.failed(8)
    allowance.failed(8)
    assert allowance.now == FIRST // 2

    for _ in range(50):
        allowance.failed(FIRST)
    assert allowance.now == 1


def test_a_model_that_became_slower_for_good_is_the_new_measure() -> None:
    allowance = Allowance(64)
    allowance.answered(1, 0.1, in_hand=FIRST)

    for _ in range(300):
        a_round(allowance, 1.0)

    assert allowance.now == 64


def test_less_than_the_first_number_may_be_the_most() -> None:
    assert Allowance(4).now == 4
