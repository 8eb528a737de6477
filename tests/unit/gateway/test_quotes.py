"""Is what the same questions would cost elsewhere right, and not known whenever a price is not?"""

from __future__ import annotations

import pytest

from healing_eval.gateway.quotes import Offer, Taken, bounds, cost
from healing_eval.gateway.rates import Rates

MINI = (Rates(input_dollars=0.15, output_dollars=0.6, cached_input_dollars=0.075),)
OLD = (Rates(input_dollars=0.5, output_dollars=1.5),)
FREE = (Rates(input_dollars=0, output_dollars=0),)
TIERED = (Rates(input_dollars=1, output_dollars=1), Rates(input_dollars=3, output_dollars=1, above_input_tokens=100))
MILLION = Taken(input_tokens=1e6, output_tokens=1e6, cached_input_tokens=5e5)


def alone(price: tuple[Rates, ...]) -> list[Offer]:
    return [Offer(price, 1.0)]


def test_each_kind_of_token_has_its_price() -> None:
    assert cost(alone(MINI), MILLION) == pytest.approx(0.075 + 0.0375 + 0.6)
    assert cost(alone(OLD), MILLION) == pytest.approx(0.5 + 1.5)


def test_a_pool_costs_what_its_parts_cost_by_their_shares() -> None:
    assert cost([Offer(MINI, 0.25), Offer(OLD, 0.75)], MILLION) == pytest.approx(0.25 * 0.7125 + 0.75 * 2)


def test_several_models_that_are_all_asked_cost_their_sum() -> None:
    assert cost([*alone(MINI), *alone(OLD)], MILLION) == pytest.approx(2.7125)


def test_the_size_of_a_single_call_decides_its_rate() -> None:
    in_one, in_two = (Taken(input_tokens=200, output_tokens=0, calls=calls) for calls in (1, 2))

    assert cost(alone(TIERED), in_one) == pytest.approx(600e-6)
    assert cost(alone(TIERED), in_two) == pytest.approx(200e-6)


def test_what_has_no_price_has_no_cost_and_nobody_costs_nothing() -> None:
    assert cost([*alone(MINI), Offer((), 1.0)], MILLION) is None
    assert cost([], MILLION) == 0


def test_the_factor_lies_between_those_of_the_kinds_of_tokens() -> None:
    assert bounds(alone(MINI), alone(OLD)) == (pytest.approx(2.5), pytest.approx(0.5 / 0.075))


@pytest.mark.parametrize("input_tokens", [0.0, 10.0, 1000.0])
@pytest.mark.parametrize("cached", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("output_tokens", [1.0, 500.0])
def test_no_size_gives_a_factor_outside_them(input_tokens: float, cached: float, output_tokens: float) -> None:
    taken = Taken(input_tokens=input_tokens, output_tokens=output_tokens, cached_input_tokens=cached * input_tokens)

    found = bounds(alone(TIERED), alone(MINI))
    before, after = cost(alone(TIERED), taken), cost(alone(MINI), taken)

    assert found is not None
    assert before is not None
    assert after is not None
    assert found[0] - 1e-12 <= after / before <= found[1] + 1e-12


def test_a_factor_is_not_known_without_a_price_or_over_nothing() -> None:
    assert bounds(alone(()), alone(OLD)) is None
    assert bounds(alone(FREE), alone(OLD)) is None
    assert bounds([], alone(OLD)) is None


def test_what_becomes_free_costs_no_part_of_before_and_free_stays_free() -> None:
    assert bounds(alone(OLD), alone(FREE)) == (0, 0)
    assert bounds(alone(FREE), alone(FREE)) == (1, 1)
