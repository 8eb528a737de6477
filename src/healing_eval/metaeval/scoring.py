"""How good are probabilities, beside what turned out to be true?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

CLIP = 0.001
"""How close to 0 and 1 a probability may come in `log_loss`."""


def log_loss(values: Sequence[float], truths: Sequence[bool], clip: float = CLIP) -> float | None:
    """Give the mean of -log(probability given to what was true), in nats; 0 is best, .693 that of always saying .5.

    Args:
        values: the probability of true, in [0, 1].
        truths: as many.
        clip: values are moved into [clip, 1 - clip] first. Else one vote of 0 or 1 that is wrong costs infinitely much;
            with .001 it costs 6.9. The loss of a judge that says only 0 or 1 is thus 6.9 times its share of errors,
            which says more about `clip` than about the judge.

    Returns:
        None without values.

    Source: I. J. Good, Rational Decisions, Journal of the Royal Statistical Society B 14 (1952).
    """
    if not values:
        return None
    losses = (
        -math.log(min(max(value if truth else 1 - value, clip), 1 - clip))
        for value, truth in zip(values, truths, strict=True)
    )
    return math.fsum(losses) / len(values)


def accuracy(values: Sequence[float], truths: Sequence[bool]) -> float | None:
    """Give the share on the true side of .5; exactly .5 is half right, as a coin would be. None without values."""
    if not values:
        return None
    right = (
        0.5 if value == 0.5 else float((value > 0.5) == truth) for value, truth in zip(values, truths, strict=True)
    )
    return math.fsum(right) / len(values)


def auc(scored: Iterable[tuple[float, bool]]) -> float | None:
    """Give the probability that a true one scores above a false one, ties counted half; None without one of each.

    Args:
        scored: the score that should be high, and whether it is true.

    Source: J. A. Hanley, B. J. McNeil, The Meaning and Use of the Area under a ROC Curve, Radiology 143 (1982).
    """
    ranked = sorted(scored)
    positives = sum(truth for _, truth in ranked)
    negatives = len(ranked) - positives
    if not positives or not negatives:
        return None
    rank_sum, start = 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        rank_sum += sum(truth for _, truth in ranked[start:end]) * (start + end + 1) / 2
        start = end
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)
