"""What does an answer of a model cost?

Prices from the settings come first, then what is published for the server that was asked. What is not known is None,
never 0: that something costs 0 is known only if somebody says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from healing_eval.gateway.published import PublishedPrices
from healing_eval.gateway.rates import Price, Rates
from healing_eval.ports.chat_model import ChatAnswer

GOOD_FOR_SECONDS = 900
"""How long a price that was looked up is used. Some change with the hour, and all with the day."""
MOST_MODELS = 64
"""Models whose price is remembered at once; a server may call itself anything."""


class Prices:
    """What answers of one configured model cost, whichever model really gave them."""

    def __init__(
        self, configured: str, base_url: str | None, own: Mapping[str, Rates], agreed: Rates | None = None
    ) -> None:
        """Take what tells the price.

        Args:
            configured: the model as `provider:model`.
            base_url: the server that is asked. Published prices are those of whoever serves there, so that another
                server that speaks the same language has none. None: not known.
            own: prices that come first, by `provider:model`.
            agreed: what this deployment costs, whichever model answers; comes before all others.
        """
        self._agreed = agreed
        self._provider, _, self._model = configured.partition(":")
        self._own = own
        self._published = PublishedPrices(base_url)
        self._looked_up = lru_cache(maxsize=MOST_MODELS)(self._look_up)

    def price_of(self, model: str, at_seconds: float) -> Price:
        """Look up the price of a model as it named itself, else of the configured one, at a time (Unix)."""
        return self._looked_up(model, int(at_seconds // GOOD_FOR_SECONDS))

    def cost_of(self, answer: ChatAnswer, at_seconds: float) -> float | None:
        """Say what an answer given at a time (Unix) cost, in dollars; None if its price or tokens are not known."""
        return _cost(self.price_of(answer.model, at_seconds), answer)

    def batch_cost_of(self, answer: ChatAnswer, at_seconds: float, share: float) -> float | None:
        """Say what an answer that came in a batch cost: by the published price of batches, else a share of any other.

        Args:
            answer: from a batch.
            at_seconds: when it came, Unix time.
            share: of the ordinary price, in [0, 1], where the price of batches is not published or yours.
        """
        cost = _cost(self._looked_up(answer.model, int(at_seconds // GOOD_FOR_SECONDS), batched=True), answer)
        if cost is not None:
            return cost
        ordinary = self.cost_of(answer, at_seconds)
        return None if ordinary is None else ordinary * share

    def _look_up(self, answered: str, period: int, *, batched: bool = False) -> Price:
        at = datetime.fromtimestamp(period * GOOD_FOR_SECONDS, UTC)
        names = (answered, self._model)
        own = [self._agreed, *(self._own.get(f"{self._provider}:{name}") for name in names)]
        for rates in own:
            if rates is not None:
                return () if batched else (rates,)
        for name in names:
            price = self._published.price(name, at)
            if price:
                return self._published.price(name, at, batched=True) if batched else price
        return ()


def rates_for(price: Sequence[Rates], input_tokens: float) -> Rates:
    """Choose the rates of a known price by how much one call reads."""
    return next((rates for rates in reversed(price) if input_tokens > rates.above_input_tokens), price[0])


def _cost(price: Price, answer: ChatAnswer) -> float | None:
    input_tokens, output_tokens = answer.input_tokens, answer.output_tokens
    if not price or input_tokens is None or output_tokens is None:
        return None
    # What a server says of its cache is part of the input, whatever it says.
    cached = min(answer.cached_input_tokens or 0, input_tokens)
    written = min(answer.cache_written_tokens or 0, input_tokens - cached)
    return rates_for(price, input_tokens).cost_of(input_tokens - cached - written, output_tokens, cached, written)
