"""What is a price? Dollars per million tokens, by what the tokens are."""

from __future__ import annotations

import msgspec


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What a million tokens cost, in dollars."""

    input_dollars: float
    output_dollars: float
    cached_input_dollars: float | None = None
    """Of input the server had in its cache. None: the same as any other."""
    cache_written_dollars: float | None = None
    """Of input the server put into its cache. None: the same as any other."""
    above_input_tokens: int = -1
    """For calls with more input than this; large ones may cost more, all their tokens included."""

    def cost_of(self, fresh: float, output: float, cached: float = 0.0, written: float = 0.0) -> float:
        """Say what tokens cost, in dollars: `fresh` input was neither in the server's cache nor put there."""
        by_cache = cached * _or(self.cached_input_dollars, self.input_dollars)
        by_cache += written * _or(self.cache_written_dollars, self.input_dollars)
        return (fresh * self.input_dollars + by_cache + output * self.output_dollars) / 1_000_000


def _or(dollars: float | None, otherwise: float) -> float:
    return otherwise if dollars is None else dollars


Price = tuple[Rates, ...]
"""By size of the call, ascending, the first for every size; empty if it is not known."""
