"""What did one judge say of one item, or why did it say nothing?"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec


class Vote(msgspec.Struct, frozen=True):
    """What a judge said."""

    judge: str
    value: float
    """In [0, 1], 1 best: a probability, or a score."""
    weight: float = 1.0
    """Above 0; only its ratio to the others' counts."""
    confidence: float | None = None
    """The judge's own, in [0, 1]; None: not measured."""

    def __post_init__(self) -> None:
        _in_unit(f"{self.judge}: value", self.value)
        _weight(self.judge, self.weight)
        if self.confidence is not None:
            _in_unit(f"{self.judge}: confidence", self.confidence)


class MissingVote(msgspec.Struct, frozen=True):
    """A judge that was asked and gave no vote."""

    judge: str
    reason: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        _weight(self.judge, self.weight)


class NoVote(msgspec.Struct, frozen=True):
    """Nobody voted: there is no value, and none is made up."""

    missing: tuple[MissingVote, ...]

    @property
    def reason(self) -> str:
        """Why, judge by judge."""
        return "; ".join(f"{one.judge}: {one.reason}" for one in self.missing) or "no judge was asked"


Ballot = Vote | MissingVote


def separate(ballots: Iterable[Ballot]) -> tuple[list[Vote], tuple[MissingVote, ...]]:
    """Part those that voted from those that did not.

    Raises:
        ValueError: a judge has two ballots.
    """
    votes: list[Vote] = []
    missing: list[MissingVote] = []
    judges: set[str] = set()
    for ballot in ballots:
        if ballot.judge in judges:
            raise ValueError(f"expected one ballot of each judge, got two of {ballot.judge!r}")
        judges.add(ballot.judge)
        if isinstance(ballot, Vote):
            votes.append(ballot)
        else:
            missing.append(ballot)
    return votes, tuple(missing)


def _in_unit(what: str, value: float) -> None:
    if not 0 <= value <= 1:  # refuses NaN as well
        raise ValueError(f"{what}: expected a number in [0, 1], got {value}")


def _weight(judge: str, weight: float) -> None:
    if not 0 < weight < math.inf:
        raise ValueError(f"{judge}: expected a weight above 0, got {weight}")
