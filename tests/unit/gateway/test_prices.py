"""What does an answer cost, and is it None whenever that is not known?"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from healing_eval.gateway.prices import GOOD_FOR_SECONDS, MOST_MODELS, Prices
from healing_eval.gateway.rates import Rates
from healing_eval.ports.chat_model import ChatAnswer

OPENAI = "https://api.openai.com/v1"
OPENROUTER = "https://openrouter.ai/api/v1"
LOCAL = "http://127.0.0.1:11434/v1"
AT = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
FREE = Rates(input_dollars=0, output_dollars=0)
DEAR = Rates(input_dollars=100, output_dollars=200)


def answer(model: str = "gpt-4o-mini", **tokens: Any) -> ChatAnswer:
    counted: dict[str, Any] = {"input_tokens": 1_000_000, "output_tokens": 100_000} | tokens
    return ChatAnswer(text="", model=model, **counted)


def cost(configured: str, base_url: str | None, given: ChatAnswer, **own: Rates) -> float | None:
    return Prices(configured, base_url, {f"openai:{name}": rates for name, rates in own.items()}).cost_of(given, AT)


def test_a_known_model_costs_what_its_provider_publishes() -> None:
    assert cost("openai:gpt-4o-mini", OPENAI, answer()) == pytest.approx(0.15 + 0.06)


def test_a_model_that_answers_with_a_date_in_its_name_is_known_by_it() -> None:
    assert cost("openai:gpt-4o-mini", OPENAI, answer("gpt-4o-mini-2024-07-18")) == pytest.approx(0.21)


def test_the_model_that_answered_makes_the_price_and_not_the_configured_one() -> None:
    assert cost("openai:gpt-4o-mini", OPENAI, answer("gpt-4o-2024-08-06")) == pytest.approx(2.5 + 1)


def test_an_answer_under_a_name_of_its_own_costs_what_was_configured() -> None:
    assert cost("openai:gpt-4o-mini", OPENAI, answer("prod-17")) == pytest.approx(0.21)


@pytest.mark.parametrize(
    "model", ["gpt-99", "ft:gpt-4o-mini:us::1", "gpt-4o-mini-of-ours", "", "text-embedding-3-small"]
)
def test_a_model_without_a_price_costs_nobody_knows_what(model: str) -> None:
    assert cost(f"openai:{model}", OPENAI, answer(model)) is None


@pytest.mark.parametrize(
    "base_url",
    [
        LOCAL,
        None,
        "http://api.openai.com/v1",
        "https://api.openai.com.example.org/v1",
        "https://api.openai.community/v1",
        "https://user@example.org/https://api.openai.com/v1",
        "https://proxy.example.org/api.openai.com/v1",
    ],
)
def test_another_server_that_speaks_the_same_language_has_no_published_price(base_url: str | None) -> None:
    assert cost("openai:gpt-4o-mini", base_url, answer()) is None


@pytest.mark.parametrize("base_url", [OPENAI, "https://api.openai.com", "https://API.OpenAI.com:443/v1/"])
def test_the_same_server_may_be_written_in_more_ways_than_one(base_url: str) -> None:
    assert cost("openai:gpt-4o-mini", base_url, answer()) == pytest.approx(0.21)


def test_openrouter_has_prices_of_its_own() -> None:
    assert cost("openai:openai/gpt-4o-mini", OPENROUTER, answer("openai/gpt-4o-mini")) == pytest.approx(0.21)
    assert cost("openai:gpt-4o-mini", OPENROUTER, answer("gpt-4o-mini")) is None


@pytest.mark.parametrize("base_url", [OPENAI, LOCAL, None])
@pytest.mark.parametrize("named", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18"])
def test_an_own_price_comes_first_by_either_name_and_wherever_it_is_served(base_url: str | None, named: str) -> None:
    given = answer("gpt-4o-mini-2024-07-18")

    assert cost("openai:gpt-4o-mini", base_url, given, **{named: DEAR}) == pytest.approx(100 + 20)


def test_an_own_price_of_what_answered_wins_over_that_of_what_was_configured() -> None:
    assert cost("openai:a", LOCAL, answer("b"), a=DEAR, b=FREE) == 0


def test_an_own_price_is_that_of_one_provider() -> None:
    prices = Prices("other:gpt-4o-mini", LOCAL, {"openai:gpt-4o-mini": DEAR})

    assert prices.cost_of(answer(), AT) is None


def test_nothing_costs_0_unless_somebody_says_so() -> None:
    assert cost("openai:mine", LOCAL, answer("mine")) is None
    assert cost("openai:mine", LOCAL, answer("mine"), mine=FREE) == 0


@pytest.mark.parametrize("direction", ["input_tokens", "output_tokens"])
def test_tokens_nobody_counted_have_no_cost(direction: str) -> None:
    given = msgspec.structs.replace(answer(), **{direction: None})

    assert cost("openai:gpt-4o-mini", OPENAI, given) is None


def test_what_came_from_a_cache_is_cheaper() -> None:
    given = answer(cached_input_tokens=400_000, output_tokens=0)
    without = Rates(input_dollars=100, output_dollars=200)
    cheaper = Rates(input_dollars=100, output_dollars=200, cached_input_dollars=10)

    assert cost("openai:gpt-4o-mini", OPENAI, given) == pytest.approx(0.6 * 0.15 + 0.4 * 0.075)
    assert cost("openai:mine", LOCAL, given, mine=without) == pytest.approx(100)
    assert cost("openai:mine", LOCAL, given, mine=cheaper) == pytest.approx(64)


def test_what_went_into_a_cache_may_be_dearer() -> None:
    given = answer(cached_input_tokens=400_000, cache_written_tokens=200_000, output_tokens=0)
    rates = Rates(input_dollars=100, output_dollars=0, cached_input_dollars=10, cache_written_dollars=125)

    assert cost("openai:mine", LOCAL, given, mine=rates) == pytest.approx(40 + 4 + 25)


def test_a_server_that_counts_more_in_its_cache_than_there_was_makes_no_cost_negative() -> None:
    given = answer(cached_input_tokens=9_000_000, cache_written_tokens=9_000_000, output_tokens=0)

    assert cost("openai:gpt-4o-mini", OPENAI, given) == pytest.approx(0.075)


def test_a_price_that_changes_with_the_day_is_looked_up_again() -> None:
    from genai_prices import Usage, calc_price

    times = [datetime(2025, 6, day, tzinfo=UTC) for day in (1, 20)]  # o3 became cheaper on the tenth
    prices = Prices("openai:o3", OPENAI, {})

    said = [prices.cost_of(answer("o3"), time.timestamp()) for time in times]

    tokens = Usage(input_tokens=1_000_000, output_tokens=100_000)
    asked = [calc_price(tokens, "o3", provider_id="openai", genai_request_timestamp=time) for time in times]
    assert said == [pytest.approx(float(one.total_price)) for one in asked]
    assert said[0] != said[1]


def test_a_server_with_ever_new_names_fills_no_memory() -> None:
    from genai_prices.data_snapshot import get_snapshot

    prices = Prices("openai:gpt-4o-mini", OPENAI, {})
    before = len(vars(get_snapshot())["_provider_misses"]), len(vars(get_snapshot())["_lookup_cache"])

    found = {prices.cost_of(answer(f"name-{number}"), AT) for number in range(10 * MOST_MODELS)}

    assert list(found) == [pytest.approx(0.21)]
    assert before == (len(vars(get_snapshot())["_provider_misses"]), len(vars(get_snapshot())["_lookup_cache"]))


def test_without_the_extra_only_own_prices_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)

    assert cost("openai:gpt-4o-mini", OPENAI, answer()) is None
    assert cost("openai:gpt-4o-mini", OPENAI, answer(), **{"gpt-4o-mini": DEAR}) == pytest.approx(120)


def test_times_within_a_quarter_of_an_hour_share_a_price() -> None:
    prices = Prices("openai:gpt-4o-mini", OPENAI, {})

    assert prices.price_of("gpt-4o-mini", AT) is prices.price_of("gpt-4o-mini", AT + GOOD_FOR_SECONDS - 1)


def batch_cost(base_url: str | None, given: ChatAnswer, agreed: Rates | None = None, **own: Rates) -> float | None:
    prices = Prices("openai:gpt-4o-mini", base_url, {f"openai:{name}": one for name, one in own.items()}, agreed)
    return prices.batch_cost_of(given, AT, share=0.25)


def test_in_a_batch_an_answer_costs_what_its_provider_publishes_for_batches() -> None:
    assert batch_cost(OPENAI, answer()) == pytest.approx(0.21 / 2)


def test_where_no_price_of_batches_is_published_it_is_a_share_of_the_ordinary_one() -> None:
    assert batch_cost(LOCAL, answer(), **{"gpt-4o-mini": DEAR}) == pytest.approx((100 + 20) / 4)
    assert batch_cost(OPENAI, answer(), DEAR) == pytest.approx((100 + 20) / 4)
    assert batch_cost(OPENAI, answer("gpt-3.5-turbo-0301")) == pytest.approx((1.5 + 0.2) / 4)


def test_what_a_batch_costs_is_not_known_where_nothing_is() -> None:
    assert batch_cost(LOCAL, answer()) is None
    assert batch_cost(OPENAI, answer(input_tokens=None)) is None
    assert batch_cost(LOCAL, answer(), FREE) == 0
