"""When is the cheap judge's word not enough, and whose word stands then?"""

from __future__ import annotations

from typing import Literal

import msgspec

from healing_eval.evaluators.judge.ballots import Ballot, MissingVote, NoVote, Vote


class Band(msgspec.Struct, frozen=True):
    """What counts as uncertain."""

    low: float = 0.3
    high: float = 0.7
    """Values from `low` to `high`, ends included, are uncertain; 0 <= low <= high <= 1."""
    least_confidence: float = 0.0
    """A vote of measured confidence below it is uncertain whatever its value; 0 takes no account of confidence."""

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"expected 0 <= low <= high <= 1, got {self.low} and {self.high}")
        if not 0 <= self.least_confidence <= 1:
            raise ValueError(f"expected a least confidence in [0, 1], got {self.least_confidence}")


class Cascaded(msgspec.Struct, frozen=True):
    """Both words, and the one that stands."""

    value: float
    confidence: float | None
    """That of whose word stands; None where it was not measured."""
    stands: Literal["cheap", "strong"]
    cheap: Ballot
    strong: Ballot | None
    """None: not asked."""

    @property
    def missing(self) -> tuple[MissingVote, ...]:
        """Those that were asked and gave no vote."""
        return tuple(one for one in (self.cheap, self.strong) if isinstance(one, MissingVote))


DEFAULT_BAND = Band()


def is_uncertain(cheap: Ballot, band: Band = DEFAULT_BAND) -> bool:
    """Tell whether the strong judge is to be asked: the cheap one is uncertain, or gave no vote.

    A judge that says only 0 or 1 is never uncertain by its value: calibrate it first, or make several cheap ones one by
    `combine`, whose value is uncertain where they disagree.
    """
    if isinstance(cheap, MissingVote):
        return True
    unsure = cheap.confidence is not None and cheap.confidence < band.least_confidence
    return unsure or band.low <= cheap.value <= band.high


def settle(cheap: Ballot, strong: Ballot | None) -> Cascaded | NoVote:
    """Say whose word stands: the strong judge's if it was asked and voted, else the cheap one's.

    Args:
        cheap: what the cheap judge said.
        strong: what the strong one said; None if it was not asked.

    Returns:
        The value that stands with both words. If the strong judge was asked in vain, the cheap one's uncertain word
        stands without any confidence. `NoVote` if neither voted.
    """
    if isinstance(strong, Vote):
        return Cascaded(strong.value, strong.confidence, "strong", cheap, strong)
    if isinstance(cheap, Vote):
        return Cascaded(cheap.value, cheap.confidence if strong is None else None, "cheap", cheap, strong)
    return NoVote((cheap,) if strong is None else (cheap, strong))
