"""What does each evaluator cost now, and what as proposed?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import msgspec

from healing_eval.cli.advise.proposal import Plan, with_table
from healing_eval.cli.advise.sizes import Sizes, SizesOf
from healing_eval.config import Settings
from healing_eval.gateway.quotes import Offer, bounds, cost, is_known, offer
from healing_eval.metaeval.intervals import mean_interval
from healing_eval.models import quoted_prices, sites_of

PER = 1000
"""Evaluations for which a cost is shown."""
MINUTES_A_MONTH = 30 * 24 * 60


class Dollars(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cost, or a difference of costs."""

    estimate: float
    low: float | None = None
    """With `high` the 95 % interval of what was measured; None where nothing was, or only once."""
    high: float | None = None


class Line(msgspec.Struct, frozen=True):
    """One evaluator on both sides."""

    evaluator: str
    is_there: bool
    now: tuple[str, ...]
    proposed: tuple[str, ...]
    now_per_1000: Dollars | None
    """Per 1,000 evaluations; None: price or size is not known, which is not 0."""
    proposed_per_1000: Dollars | None
    difference_per_1000: Dollars | None
    factor: float | None
    """Cost as proposed over cost now; None: not known, or nothing is paid now."""
    factor_at_any_size: tuple[float, float] | None
    """Between which factors it lies by the prices alone."""
    unpriced: tuple[str, ...]
    """Those of the models whose price is not known."""
    sized_by: str | None
    """Where the tokens of an evaluation are known from."""
    evaluations: int
    """From how many they are measured; 0: told, or not known."""

    @property
    def is_changed(self) -> bool:
        """Whether anything else is asked than now."""
        return self.now != self.proposed


class Total(msgspec.Struct, frozen=True):
    """All evaluators together, in dollars."""

    now: float
    proposed: float

    @property
    def difference(self) -> float:
        """What the proposal costs more; negative: less."""
        return self.proposed - self.now

    def times(self, factor: float) -> Total:
        """Give the same for another number of conversations."""
        return Total(self.now * factor, self.proposed * factor)


def compare(settings: Settings, plans: Sequence[Plan], sizes: SizesOf, at: datetime) -> list[Line]:
    """Price both sides of each plan at a time.

    Raises:
        ConfigError: a model is none.
    """
    seconds = at.timestamp()
    return [_line(settings, plan, sizes.get(plan.evaluator), seconds) for plan in plans]


def total_of(lines: Sequence[Line]) -> Total | None:
    """Add up what the lines cost per 1,000 conversations; None if a part is not known."""
    pairs = [
        (line.now_per_1000.estimate, line.proposed_per_1000.estimate)
        for line in lines
        if line.now_per_1000 is not None and line.proposed_per_1000 is not None
    ]
    if len(pairs) < len(lines):
        return None
    return Total(math.fsum(now for now, _ in pairs), math.fsum(proposed for _, proposed in pairs))


def _line(settings: Settings, plan: Plan, sizes: Sizes | None, at_seconds: float) -> Line:
    now, proposed = (_offers(settings, plan, models, at_seconds) for models in (plan.now, plan.proposed))
    both = _flat(now), _flat(proposed)
    costs = [_costs(offers, sizes) for offers in both]
    before, after = (_mean(each) if offers else Dollars(0.0) for offers, each in zip(both, costs, strict=True))
    difference = _mean([b - a for a, b in zip(*costs, strict=True)]) if before and after else None
    return Line(
        evaluator=plan.evaluator,
        is_there=plan.is_there,
        now=plan.now,
        proposed=plan.proposed,
        now_per_1000=before,
        proposed_per_1000=after,
        difference_per_1000=difference if plan.is_changed else Dollars(0.0),
        factor=after.estimate / before.estimate if before and after and before.estimate else None,
        factor_at_any_size=bounds(*both) if plan.is_changed else (1.0, 1.0),
        unpriced=tuple(model for model, offers in {**now, **proposed}.items() if not is_known(offers)),
        sized_by=None if sizes is None else sizes.source,
        evaluations=len(sizes.taken) if sizes is not None and sizes.is_measured else 0,
    )


_Offers = dict[str, list[Offer]]
"""By model or pool."""


def _offers(settings: Settings, plan: Plan, models: Sequence[str], at_seconds: float) -> _Offers:
    # An error names the setting that asks for the model.
    named = with_table(settings, {plan.evaluator: list(models)})
    return {model: _offers_of(named, model, at_seconds) for model in models}


def _offers_of(settings: Settings, model: str, at_seconds: float) -> list[Offer]:
    """Give what the deployments of a pool ask, by their shares of its work when all of them are well."""
    sites = sites_of(settings, model)
    weights = [one.settings.weight for one in sites]
    if not any(weights):
        weights = [1.0] * len(sites)
    return [
        offer(quoted_prices(settings, one), one.settings.model.partition(":")[2], weight / sum(weights), at_seconds)
        for one, weight in zip(sites, weights, strict=True)
        if weight
    ]


def _flat(offers: _Offers) -> list[Offer]:
    return [one for of in offers.values() for one in of]


def _costs(offers: Sequence[Offer], sizes: Sizes | None) -> list[float]:
    """Price each evaluation whose size is known; [] if a price is not."""
    costs = [cost(offers, taken) for taken in (sizes.taken if sizes else ())]
    return [one for one in costs if one is not None]


def _mean(dollars: Sequence[float]) -> Dollars | None:
    if not dollars:
        return None
    found = mean_interval([PER * one for one in dollars])
    return Dollars(PER * dollars[0]) if found is None else Dollars(found.estimate, found.low, found.high)
