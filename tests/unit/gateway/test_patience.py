"""Is an answer waited for as long as answers take?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.gateway.patience import FIRST_SECONDS, LEAST_SECONDS, Patience


def test_before_the_first_answer_it_is_a_guess_within_what_there_is() -> None:
    assert Patience().seconds(60) == FIRST_SECONDS
    assert Patience().seconds(3) == 3


def test_it_comes_to_a_multiple_of_what_answers_take() -> None:
    patience = Patience()
    for _ in range(200):
        patience.learn(12.0)

    assert patience.seconds(1000) == pytest.approx(24.0, rel=0.01)


def test_quick_answers_do_not_make_it_hasty() -> None:
    patience = Patience()
    for _ in range(50):
        patience.learn(0.01)

    assert patience.seconds(60) == LEAST_SECONDS


def test_it_doubles_with_each_that_did_not_come_and_an_answer_ends_that() -> None:
    patience = Patience()
    for _ in range(100):
        patience.learn(0.01)
    grown = list[float]()
    for _ in range(5):
        grown.append(patience.seconds(60))
        patience.run_out()
    patience.learn(0.01)

    assert grown == [5, 10, 20, 40, 60]
    assert patience.seconds(60) == LEAST_SECONDS


@given(st.lists(st.floats(0, 1e6)), st.integers(0, 100), st.floats(0.001, 600))
def test_it_is_never_more_than_there_is_nor_hasty(taken: list[float], missed: int, at_most: float) -> None:
    patience = Patience()
    for seconds in taken:
        patience.learn(seconds)
    for _ in range(missed):
        patience.run_out()

    assert min(LEAST_SECONDS, at_most) <= patience.seconds(at_most) <= at_most
