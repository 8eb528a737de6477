"""Do we read the library's prices as it does itself?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot

from healing_eval.gateway.prices import Prices
from healing_eval.gateway.published import PublishedPrices
from healing_eval.ports.chat_model import ChatAnswer

SERVERS = {
    "openai": "https://api.openai.com/v1",
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
    "deepseek": "https://api.deepseek.com/v1",
}
TIMES = [datetime(2026, 11, day, hour, 40, tzinfo=UTC) for day, hour in ((2, 3), (8, 17))]
SIZES = [(10, 0, 0, 5), (199_999, 7, 3, 5), (300_001, 100_000, 50_000, 70)]


@pytest.mark.parametrize("provider", SERVERS)
def test_every_price_is_what_the_library_makes_of_it(provider: str) -> None:
    models = [one.id for found in get_snapshot().providers if found.id == provider for one in found.models]
    compared = 0

    for model in models:
        prices = Prices(f"openai:{model}", SERVERS[provider], {})
        for at in TIMES:
            for size, cached, written, said in SIZES:
                ours = prices.cost_of(
                    ChatAnswer(
                        text="",
                        model=model,
                        input_tokens=size,
                        cached_input_tokens=cached,
                        cache_written_tokens=written,
                        output_tokens=said,
                    ),
                    at.timestamp(),
                )
                if ours is not None:
                    tokens = Usage(
                        input_tokens=size, cache_read_tokens=cached, cache_write_tokens=written, output_tokens=said
                    )
                    theirs = calc_price(tokens, model, provider_id=provider, genai_request_timestamp=at)
                    assert ours == pytest.approx(float(theirs.total_price), rel=1e-9), model
                    compared += 1

    assert compared > 5


@pytest.mark.parametrize("model", ["sonar", "sonar-deep-research"])
def test_a_model_that_charges_for_what_an_answer_does_not_tell_has_no_price(model: str) -> None:
    assert PublishedPrices("https://api.perplexity.ai").price(model, TIMES[0]) == ()


def test_a_provider_at_home_under_many_domains_is_found_at_each() -> None:
    there, elsewhere = (PublishedPrices(f"https://{host}/v1") for host in ("api.moonshot.ai", "api.moonshine.ai"))

    assert there.price("kimi-k2-0905-preview", TIMES[0])
    assert elsewhere.price("kimi-k2-0905-preview", TIMES[0]) == ()
