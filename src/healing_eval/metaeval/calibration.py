"""What probability does a judge's word really stand for?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from healing_eval.metaeval.logistic import fit_logistic, probability

FARTHEST = 0.001
"""Probabilities are moved into [.001, .999] before their logit is taken: 0 and 1 have none."""
_ALMOST_NONE = 1e-3
"""Penalty that leaves a slope as it is, and makes it 0 rather than undefined for a judge that always says the same."""


class Platt(msgspec.Struct, frozen=True):
    """A logistic curve over the logit of a judge's probability."""

    slope: float
    """1 leaves the probability as it is, below 1 pulls it towards .5, below 0 turns it round."""
    intercept: float

    def __call__(self, value: float) -> float:
        """Give the calibrated probability of a value in [0, 1]."""
        return probability(self.intercept + self.slope * logit(value))


def logit(value: float, farthest: float = FARTHEST) -> float:
    """Give the log odds of a probability; 0 and 1 are moved inwards by `farthest` first."""
    inside = min(max(value, farthest), 1 - farthest)
    return math.log(inside / (1 - inside))


def fit_platt(values: Sequence[float], truths: Sequence[bool]) -> Platt:
    """Fit the curve on items whose truth is known.

    The targets are not 0 and 1 but as if one more item of each kind had been seen, so that few labels, or labels all
    alike, do not make anybody certain.

    Args:
        values: a judge's probabilities of true, in [0, 1]; some dozens at least.
        truths: as many.

    Source: J. Platt, Probabilistic Outputs for Support Vector Machines (1999), §2.2; fitted as in H.-T. Lin, C.-J. Lin,
    R. C. Weng, A Note on Platt's Probabilistic Outputs, Machine Learning 68 (2007).
    """
    positives = sum(truths)
    high, low = (positives + 1) / (positives + 2), 1 / (len(truths) - positives + 2)
    fitted = fit_logistic(
        [[logit(value)] for value in values], [high if truth else low for truth in truths], penalty=_ALMOST_NONE
    )
    return Platt(fitted.weights[0], fitted.intercept)
