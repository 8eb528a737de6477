"""Which weights of a few features tell true from false best?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

_MOST_STEPS = 50
_MOST_HALVINGS = 30
_CLOSE = 1e-9
_INTERCEPT_PENALTY = 1e-6
"""So small that it only keeps the intercept finite where all targets are alike."""


class Logistic(msgspec.Struct, frozen=True):
    """A logistic regression."""

    intercept: float
    weights: tuple[float, ...]

    def __call__(self, features: Sequence[float]) -> float:
        """Give the probability of true."""
        return probability(self.intercept + _dot(self.weights, features))


def probability(log_odds: float) -> float:
    """Turn log odds into a probability, without overflow."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    return math.exp(log_odds) / (1 + math.exp(log_odds))


def fit_logistic(rows: Sequence[Sequence[float]], targets: Sequence[float], penalty: float) -> Logistic:
    """Find the weights that make the targets likeliest, by Newton's method with shortened steps.

    Meant for a handful of features and some thousand rows.

    Args:
        rows: the features of each item, equally many.
        targets: in [0, 1], as many as rows; those between are probabilities.
        penalty: half of it times each weight's square is added to the negative log likelihood; above 0. It is
            1 / C of scikit-learn.

    Raises:
        ValueError: there are no rows.

    Source: T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning (2009), §4.4.1.
    """
    if not rows:
        raise ValueError("expected items with known truth, got none")
    problem = _Problem(rows, targets, penalty)
    found = [0.0] * len(problem.penalties)
    loss = problem.loss(found)
    for _ in range(_MOST_STEPS):
        before = loss
        found, loss = _improved(problem, found, loss)
        if before - loss < _CLOSE:
            break
    return Logistic(found[0], tuple(found[1:]))


class _Problem:
    """A penalised negative log likelihood."""

    def __init__(self, rows: Sequence[Sequence[float]], targets: Sequence[float], penalty: float) -> None:
        self.rows = [(1.0, *row) for row in rows]
        self.targets = targets
        self.penalties = [_INTERCEPT_PENALTY, *(penalty for _ in rows[0])]

    def loss(self, weights: Sequence[float]) -> float:
        total = sum(p * w * w for p, w in zip(self.penalties, weights, strict=True)) / 2
        for row, target in zip(self.rows, self.targets, strict=True):
            odds = _dot(weights, row)
            total += max(odds, 0.0) + math.log1p(math.exp(-abs(odds))) - target * odds
        return total

    def step(self, weights: Sequence[float]) -> list[float]:
        """Give Newton's step: where the gradient would vanish, were the loss a parabola."""
        size = len(weights)
        slope = [p * w for p, w in zip(self.penalties, weights, strict=True)]
        bend = [[self.penalties[i] if i == j else 0.0 for j in range(size)] for i in range(size)]
        for row, target in zip(self.rows, self.targets, strict=True):
            found = probability(_dot(weights, row))
            off, spread = found - target, found * (1 - found)
            for i in range(size):
                slope[i] += off * row[i]
                scaled = spread * row[i]
                for j in range(i + 1):
                    bend[i][j] += scaled * row[j]
        return _solve(bend, slope)


def _improved(problem: _Problem, weights: list[float], loss: float) -> tuple[list[float], float]:
    """Go as far along the step as helps; nowhere if nothing does."""
    step = problem.step(weights)
    for halvings in range(_MOST_HALVINGS):
        tried = [w - s / 2**halvings for w, s in zip(weights, step, strict=True)]
        found = problem.loss(tried)
        if found < loss:
            return tried, found
    return weights, loss


def _solve(matrix: list[list[float]], right: Sequence[float]) -> list[float]:
    """Solve for a symmetric positive definite matrix of which the lower half is given, by Cholesky's method."""
    size = len(right)
    lower = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i][j] - _dot(lower[i][:j], lower[j][:j])
            lower[i][j] = math.sqrt(rest) if i == j else rest / lower[j][j]
    between: list[float] = []
    for i in range(size):
        between.append((right[i] - _dot(lower[i][:i], between)) / lower[i][i])
    solved = [0.0] * size
    for i in reversed(range(size)):
        above = sum(lower[k][i] * solved[k] for k in range(i + 1, size))
        solved[i] = (between[i] - above) / lower[i][i]
    return solved


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum([one * other for one, other in zip(left, right, strict=True)])
