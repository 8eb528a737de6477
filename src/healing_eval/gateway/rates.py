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


Price = tuple[Rates, ...]
"""By size of the call, ascending, the first for every size; empty if it is not known."""
