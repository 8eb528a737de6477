"""What would the same questions cost elsewhere? From the tokens they took and the prices of who could answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from healing_eval.gateway.prices import Prices, rates_for
from healing_eval.gateway.rates import Price, Rates


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What one evaluation took of one model."""

    input_tokens: float
    """Of all calls together, those from the server's cache included."""
    output_tokens: float
    cached_input_tokens: float = 0.0
    """Those of the input that the server had in its cache."""
    calls: float = 1.0
    """Over which they are spread; at least 1. Large calls may cost more by the token."""


class Offer(msgspec.Struct, frozen=True):
    """One model somewhere that takes a share of the questions."""

    price: Price
    """Empty if it is not known."""
    share: float
    """Of the questions, in [0, 1]. The shares of one pool sum to 1, those of several models that are all asked to how
    many these are."""


def offer(prices: Prices, model: str, share: float, at_seconds: float) -> Offer:
    """Look up what a model, by its name without the provider, asks at a time (Unix)."""
    return Offer(prices.price_of(model, at_seconds), share)


def is_known(offers: Iterable[Offer]) -> bool:
    """Whether all of them have a price; nobody at all costs nothing."""
    return all(one.price for one in offers)


def cost(offers: Sequence[Offer], taken: Taken) -> float | None:
    """Say what an evaluation costs on average, in dollars; None if a price is not known."""
    if not is_known(offers):
        return None
    cached = min(taken.cached_input_tokens, taken.input_tokens)
    rates = _together(offers, taken.input_tokens / taken.calls)
    return rates.cost_of(taken.input_tokens - cached, taken.output_tokens, cached)


def bounds(now: Sequence[Offer], proposed: Sequence[Offer]) -> tuple[float, float] | None:
    """Say between which factors the cost changes, whatever the questions take, as long as they take the same.

    A cost is a sum over kinds of tokens, so that the factor of the whole lies between those of its kinds.

    Returns:
        The least and the greatest factor, from 0; None if a price is not known, or what cost nothing would cost.
    """
    if not (is_known(now) and is_known(proposed)):
        return None
    starts = {rates.above_input_tokens for one in (*now, *proposed) for rates in one.price}
    pairs = [
        pair
        for start in starts
        for pair in zip(_kinds(_together(now, start + 1)), _kinds(_together(proposed, start + 1)), strict=True)
    ]
    if any(before == 0 < after for before, after in pairs):
        return None
    factors = [after / before for before, after in pairs if before]
    return (min(factors), max(factors)) if factors else (1.0, 1.0)


def _together(offers: Sequence[Offer], input_tokens: float) -> Rates:
    """Weigh the rates for calls that read so much by the shares."""
    sums = [0.0] * 4
    for one in offers:
        for kind, dollars in enumerate(_kinds(rates_for(one.price, input_tokens))):
            sums[kind] += one.share * dollars
    fresh, cached, written, output = sums
    return Rates(input_dollars=fresh, output_dollars=output, cached_input_dollars=cached, cache_written_dollars=written)


def _kinds(rates: Rates) -> tuple[float, float, float, float]:
    """List the dollars for a million tokens of each kind: input, from the cache, into the cache, output."""
    million = 1_000_000
    return (
        rates.cost_of(million, 0),
        rates.cost_of(0, 0, cached=million),
        rates.cost_of(0, 0, written=million),
        rates.cost_of(0, million),
    )
