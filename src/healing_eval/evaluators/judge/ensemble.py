"""What do several judges say together, and how far do they agree?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from healing_eval.evaluators.judge.ballots import Ballot, MissingVote, NoVote, Vote, separate
from healing_eval.evaluators.judge.correlation import Correlations, independent_votes

Method = Literal["mean", "weighted", "vote"]


class Combined(msgspec.Struct, frozen=True):
    """What those that voted say together."""

    value: float
    """In [0, 1], 1 best."""
    confidence: float | None
    """In [0, 1], from agreement; None when one judge alone voted: it agrees with itself."""
    votes: tuple[Vote, ...]
    missing: tuple[MissingVote, ...]
    votes_by_weight: float
    """How many equal votes the weights amount to, were the judges independent: as many as voted, or fewer."""
    effective_votes: float | None
    """The same with the measured correlation of the judges; None while it is not measured. See `Correlations`."""


def combine(
    ballots: Iterable[Ballot], method: Method = "mean", correlations: Correlations | None = None
) -> Combined | NoVote:
    """Make one value of the ballots on one item; their order does not matter.

    Args:
        ballots: one of each judge that was asked.
        method: `mean`: of the values, each weighing the same. `weighted`: by the weights. `vote`: 1 if more values are
            above .5 than below, 0 if fewer, .5 if as many; a value of .5 is on no side.
        correlations: of these judges, as seen so far; without them `effective_votes` is None.

    Returns:
        The value with its confidence, or `NoVote` if every vote is missing.

    Confidence is 1 - 2 d, where d is the mean absolute deviation of the votes from their (weighted) median: 1 if all
    say the same, 0 if they are split between 0 and 1. Bare votes of 0 and 1 thus have the lead of the majority, three
    to one for instance .5. `vote` measures sides (0, .5, 1) instead of values. A missing vote counts as if it stood at
    the end of [0, 1] that is farther from the median: nobody is surer than if it had come, whatever it had said.

    Raises:
        ValueError: a judge has two ballots.
    """
    votes, missing = separate(ballots)
    if not votes:
        return NoVote(missing)
    weighed = method == "weighted"
    weights = [one.weight if weighed else 1.0 for one in votes]
    values = [_side(one.value) if method == "vote" else one.value for one in votes]
    lacking = math.fsum(one.weight if weighed else 1.0 for one in missing)
    mean = _mean(values, weights)
    return Combined(
        value=_side(mean) if method == "vote" else mean,
        confidence=_confidence(values, weights, lacking),
        votes=tuple(votes),
        missing=missing,
        votes_by_weight=independent_votes(weights),
        effective_votes=None if correlations is None else correlations.effective_votes(_by_judge(votes, weights)),
    )


def _by_judge(votes: Sequence[Vote], weights: Sequence[float]) -> dict[str, float]:
    return {one.judge: weight for one, weight in zip(votes, weights, strict=True)}


def _side(value: float) -> float:
    return 0.5 if value == 0.5 else float(value > 0.5)


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """Take the mean; sums are rounded once, so that it is the same in any order, and it stays among the values."""
    mean = math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)
    return min(max(mean, min(values)), max(values))


def _confidence(values: Sequence[float], weights: Sequence[float], lacking: float) -> float | None:
    if len(values) < 2:
        return None
    median = _median(values, weights)
    apart = math.fsum(w * abs(v - median) for w, v in zip(weights, values, strict=True))
    apart += lacking * max(median, 1 - median)
    return min(max(1 - 2 * apart / (math.fsum(weights) + lacking), 0.0), 1.0)


def _median(values: Sequence[float], weights: Sequence[float]) -> float:
    """Find the weighted median, in the middle where a whole range is."""
    half = math.fsum(weights) / 2
    below, ranked = 0.0, sorted(zip(values, weights, strict=True))
    for place, (value, weight) in enumerate(ranked):
        below += weight
        if math.isclose(below, half, rel_tol=1e-9) and place + 1 < len(ranked):
            return (value + ranked[place + 1][0]) / 2
        if below > half:
            return value
    return ranked[-1][0]
