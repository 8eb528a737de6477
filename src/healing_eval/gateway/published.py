"""What do providers ask for their models? What the library genai-prices knows, if the extra `prices` is installed.

It brings its data along; nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from healing_eval.gateway.rates import Price, Rates

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

_NOT_TOLD = ("requests_kcount", "output_reasoning_mtok", "output_citation_mtok")
"""What some models charge for besides and an answer does not tell; such a model's price is not known."""

_IN_A_BATCH = {"processing": "batch"}


def is_installed() -> bool:
    """Tell whether published prices are there."""
    return find_spec("genai_prices") is not None


def newest_change(today: date) -> date | None:
    """Tell which change of a price is the newest they know of, so how old they are at most; None if there are none.

    The library does not say when its data was gathered; some hundreds of its prices are dated, a few in each month.
    """
    if not is_installed():
        return None
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - see `PublishedPrices`

    models = (model for provider in get_snapshot().providers for model in provider.models)
    prices = (price for model in models if isinstance(model.prices, list) for price in model.prices)
    starts = (getattr(price.constraint, "start_date", None) for price in prices)
    return max((start for start in starts if isinstance(start, date) and start <= today), default=None)


class PublishedPrices:
    """The prices of whoever serves at an address."""

    def __init__(self, base_url: str | None) -> None:
        """Take the address; None knows no price."""
        self._base_url = base_url

    def price(self, model: str, at: datetime, *, batched: bool = False) -> Price:
        """Look up what a model costs at a time, by its full name, which may be dated; `batched`: in a batch."""
        provider = self._provider
        if provider is None:
            return ()
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - see `_provider`

        found = provider.find_model(model, all_providers=get_snapshot().providers)
        if found is None:
            return ()
        if not batched:
            return _price(found.get_prices(at))
        return _price(found.get_prices(at, _IN_A_BATCH)) if _has_batch_price(found, at) else ()

    @cached_property
    def _provider(self) -> Provider | None:
        if self._base_url is None or not is_installed():
            return None
        # It costs .08 s and 7 MB, which only who asks a model should pay.
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415

        return _serving_at(self._base_url, get_snapshot().providers)


def _has_batch_price(model: ModelInfo, at: datetime) -> bool:
    variants = [one for one in model.price_variants or () if one.when == _IN_A_BATCH]
    return any(one.constraint is None or one.constraint.active(at) for one in variants)


def _serving_at(base_url: str, providers: Iterable[Provider]) -> Provider | None:
    """Find who serves at an address; the library's patterns fit hosts that only begin like a provider's as well."""
    address = urlsplit(base_url)
    bare = f"{address.scheme}://{address.hostname}{address.path}"
    host_ends = bare.index("://") + 3 + len(address.hostname or "")
    for provider in providers:
        fits = re.match(provider.api_pattern, bare)
        if fits and (fits.end() >= host_ends or fits[0].endswith(".")):  # one provider is at home under many domains
            return provider
    return None


def _price(published: ModelPrice) -> Price:
    given: dict[str, Decimal | TieredPrices | None] = vars(published)
    charged = {name: value for name, value in given.items() if value is not None}
    if not {"input_mtok", "output_mtok"} <= charged.keys() or any(name in charged for name in _NOT_TOLD):
        return ()
    read, written = charged.get("cache_read_mtok"), charged.get("cache_write_mtok")
    tiered = [value for value in charged.values() if not isinstance(value, Decimal)]
    return tuple(
        Rates(
            input_dollars=_dollars(charged["input_mtok"], above),
            output_dollars=_dollars(charged["output_mtok"], above),
            cached_input_dollars=None if read is None else _dollars(read, above),
            cache_written_dollars=None if written is None else _dollars(written, above),
            above_input_tokens=above,
        )
        for above in (-1, *sorted({tier.start for value in tiered for tier in value.tiers}))
    )


def _dollars(value: Decimal | TieredPrices, above: int) -> float:
    """Give the price of a call whose input is just above some tokens."""
    if isinstance(value, Decimal):
        return float(value)
    return float(next((tier.price for tier in reversed(value.tiers) if tier.start <= above), value.base))
