"""How many independent judges are these judges worth?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

FEWEST_ITEMS = 30
"""Items two judges must both have voted on before their correlation is told."""


def independent_votes(weights: Sequence[float]) -> float:
    """Say how many equal votes these weights amount to if the judges are independent; from 1 to their number.

    Source: L. Kish, Survey Sampling (1965), the effective size of a weighted sample.
    """
    return math.fsum(weights) ** 2 / math.fsum(weight * weight for weight in weights)


def effective_votes(n: int, correlation: float) -> float:
    """Say how many independent judges `n` judges are worth whose errors correlate.

    Args:
        n: number of judges, 1 or more, of equal weight.
        correlation: mean over all pairs, in [-1, 1]; a negative one counts as 0, since nobody should be promised more
            votes than there are judges.

    Returns:
        n / (1 + (n - 1) correlation), from 1 to `n`.

    Source: Kish's design effect; for judges arXiv 2605.29800.
    """
    return n / (1 + (n - 1) * max(correlation, 0.0))


class Correlations:
    """The correlation of each pair of judges over the items seen so far, one item at a time.

    What is compared decides what it means. Fed with *errors* (1 where a judge was wrong, else 0) it tells how much the
    judges fail together, which is what makes a jury worth less than its number. Without truth it can be fed with the
    *votes* alone. Then it overstates for judges that are mostly right: those vote alike because they are right, and the
    effective number comes out too low (1.61 for 1.85, 1.18 for 1.41 in docs/reference/judges.md). For judges that are
    often wrong it may come out too high (2.05 for 1.89 there). So it warns of a jury that is one judge in several
    coats, and says nothing about how right that judge is.

    Keeps six numbers for each pair of the judges it was made for, however many items come.
    """

    def __init__(self, judges: Iterable[str]) -> None:
        self._pairs = {frozenset(pair): _Pair(pair[0]) for pair in combinations(sorted(set(judges)), 2)}

    def add(self, values: Mapping[str, float]) -> None:
        """Take one more item: what each judge that voted said, or whether it was wrong. Strangers are passed over."""
        for one, other in combinations(values, 2):
            pair = self._pairs.get(frozenset((one, other)))
            if pair is not None:
                first, second = (one, other) if one == pair.first else (other, one)
                pair.add(values[first], values[second])

    def between(self, one: str, other: str) -> float | None:
        """Give the correlation of two judges in [-1, 1].

        None with fewer than 30 items that both voted on, or if one of them always said the same.
        """
        pair = self._pairs.get(frozenset((one, other)))
        return None if pair is None else pair.correlation()

    def effective_votes(self, weights: Mapping[str, float]) -> float | None:
        """Say how many independent votes these judges' are worth; None if a pair's correlation is not known.

        Args:
            weights: of those that voted, by judge; above 0.

        Returns:
            (sum of w)² / sum over all i and j of w_i w_j r_ij, where r_ii = 1: with equal weights `effective_votes` of
            the mean correlation. At most what the weights alone amount to. One vote is one.
        """
        together = math.fsum(weight * weight for weight in weights.values())
        most = independent_votes(list(weights.values()))
        shared: list[float] = []
        for one, other in combinations(weights, 2):
            correlation = self.between(one, other)
            if correlation is None:
                return None
            shared.append(2 * weights[one] * weights[other] * correlation)
        return most * together / max(together + math.fsum(shared), together)


class _Pair:
    """Running moments of two judges.

    Source of the update: B. P. Welford, Note on a Method for Calculating Corrected Sums of Squares and Products,
    Technometrics 4 (1962).
    """

    __slots__ = ("_first_mean", "_first_squares", "_n", "_products", "_second_mean", "_second_squares", "first")

    def __init__(self, first: str) -> None:
        self.first = first
        self._n = 0
        self._first_mean = self._second_mean = 0.0
        self._first_squares = self._second_squares = self._products = 0.0

    def add(self, first: float, second: float) -> None:
        self._n += 1
        first_delta, second_delta = first - self._first_mean, second - self._second_mean
        self._first_mean += first_delta / self._n
        self._second_mean += second_delta / self._n
        self._first_squares += first_delta * (first - self._first_mean)
        self._second_squares += second_delta * (second - self._second_mean)
        self._products += first_delta * (second - self._second_mean)

    def correlation(self) -> float | None:
        if self._n < FEWEST_ITEMS:
            return None
        spread = math.sqrt(self._first_squares * self._second_squares)
        # Values that differ only by rounding have not been seen to vary.
        if spread <= 1e-12 * self._n:
            return None
        return min(max(self._products / spread, -1.0), 1.0)
