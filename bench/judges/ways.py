"""In which ways can one probability be made of what judges say?

A way is fitted on items whose truth is known, and then answers for others. Values are put together by `combine` and
`settle`, as the judge does it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from bench.judges.sets import Item, JudgeSet
from healing_eval.evaluators.judge.ballots import Ballot, MissingVote, NoVote, Vote
from healing_eval.evaluators.judge.cascade import is_uncertain, settle
from healing_eval.evaluators.judge.ensemble import Method, combine
from healing_eval.metaeval.calibration import Platt, fit_platt, logit
from healing_eval.metaeval.logistic import fit_logistic

FARTHEST = 0.01
"""For the stack: logits of more than 99 to 1 are cut, and divided by 3, as its penalty expects."""


class Said(NamedTuple):
    """The answer about one item."""

    value: float | None
    """None: no judge gave a vote."""
    asked: tuple[str, ...]


class Fitted(NamedTuple):
    """A way that knows what it had to learn."""

    say: Callable[[Item], Said]
    weights: Mapping[str, float] | None = None
    """Of a jury's judges."""


Way = Callable[[Sequence[Item]], Fitted]
Translate = Mapping[str, Platt]


def ways(judges: JudgeSet) -> Iterator[tuple[str, Way]]:
    """Give every way with its name; single judges first."""
    yield "no judge: the share of true ones", base_rate
    for judge in judges.judges:
        yield f"{judge}, as it is", single(judge)
        yield calibrated_alone(judge), then_calibrated(single(judge))
    yield "majority vote", jury(judges.judges, "vote")
    yield "majority vote, calibrated", then_calibrated(jury(judges.judges, "vote"))
    yield "mean", jury(judges.judges, "mean")
    yield "mean, calibrated", then_calibrated(jury(judges.judges, "mean"))
    yield "mean of calibrated", jury(judges.judges, "mean", calibrate=True)
    yield "weighted", jury(judges.judges, "weighted")
    yield "weighted, of calibrated", jury(judges.judges, "weighted", calibrate=True)
    yield "logistic stack", stack(judges.judges)
    one, other = judges.cheap
    yield f"cascade {one} → {judges.strong}", cascade((one,), judges.strong)
    yield f"cascade {one} → {judges.strong}, of calibrated", cascade((one,), judges.strong, calibrate=True)
    yield f"cascade mean of {one} and {other} → {judges.strong}", cascade((one, other), judges.strong)


def calibrated_alone(judge: str) -> str:
    """Name the way that asks this judge only."""
    return f"{judge}, calibrated"


def base_rate(labelled: Sequence[Item]) -> Fitted:
    share = (sum(item.truth for item in labelled) + 1) / (len(labelled) + 2)
    return Fitted(lambda _: Said(share, ()))


def single(judge: str) -> Way:
    def say(item: Item) -> Said:
        ballot = item.ballots[judge]
        return Said(ballot.value if isinstance(ballot, Vote) else None, (judge,))

    return lambda _: Fitted(say)


def then_calibrated(way: Way) -> Way:
    """Calibrate the one value that comes out of a way which learns nothing itself."""

    def fit(labelled: Sequence[Item]) -> Fitted:
        fitted = way(labelled)
        values = [fitted.say(item).value for item in labelled]
        known = [(value, item.truth) for value, item in zip(values, labelled, strict=True) if value is not None]
        platt = fit_platt([value for value, _ in known], [truth for _, truth in known])

        def say(item: Item) -> Said:
            value, asked = fitted.say(item)
            return Said(None if value is None else platt(value), asked)

        return Fitted(say, fitted.weights)

    return fit


def jury(judges: Sequence[str], method: Method, *, calibrate: bool = False) -> Way:
    """Ask all; `weighted` by how often each was right on the labelled ones."""

    def fit(labelled: Sequence[Item]) -> Fitted:
        curves = _curves(judges, labelled) if calibrate else {}
        weights = {judge: _weight(judge, labelled) if method == "weighted" else 1.0 for judge in judges}

        def say(item: Item) -> Said:
            found = combine([_ballot(item, judge, curves, weights[judge]) for judge in judges], method)
            return Said(None if isinstance(found, NoVote) else found.value, tuple(judges))

        return Fitted(say, weights)

    return fit


def stack(judges: Sequence[str]) -> Way:
    """A logistic regression over the judges' logits; a missing vote speaks for neither side."""

    def features(item: Item) -> list[float]:
        ballots = (item.ballots[judge] for judge in judges)
        return [logit(one.value, FARTHEST) / 3 if isinstance(one, Vote) else 0.0 for one in ballots]

    def fit(labelled: Sequence[Item]) -> Fitted:
        fitted = fit_logistic(
            [features(item) for item in labelled], [float(item.truth) for item in labelled], penalty=1.0
        )
        return Fitted(lambda item: Said(fitted(features(item)), tuple(judges)))

    return fit


def cascade(cheap: Sequence[str], strong: str, *, calibrate: bool = False) -> Way:
    """Ask the cheap one, or several and take their mean; the strong one where that is uncertain."""

    def fit(labelled: Sequence[Item]) -> Fitted:
        curves = _curves((*cheap, strong), labelled) if calibrate else {}

        def say(item: Item) -> Said:
            first = _together([_ballot(item, judge, curves) for judge in cheap])
            asked = is_uncertain(first)
            found = settle(first, _ballot(item, strong, curves) if asked else None)
            return Said(None if isinstance(found, NoVote) else found.value, (*cheap, strong) if asked else tuple(cheap))

        return Fitted(say)

    return fit


def _together(ballots: Sequence[Ballot]) -> Ballot:
    if len(ballots) == 1:
        return ballots[0]
    found = combine(ballots)
    if isinstance(found, NoVote):
        return MissingVote("the cheap ones", found.reason)
    return Vote("the cheap ones", found.value, confidence=found.confidence)


def _ballot(item: Item, judge: str, curves: Translate, weight: float = 1.0) -> Ballot:
    ballot = item.ballots[judge]
    if isinstance(ballot, Vote) and judge in curves:
        ballot = msgspec.structs.replace(ballot, value=curves[judge](ballot.value))
    return ballot if weight == ballot.weight else msgspec.structs.replace(ballot, weight=weight)


def _votes(judge: str, items: Sequence[Item]) -> tuple[list[float], list[bool]]:
    voted = [(vote.value, item.truth) for item in items if isinstance(vote := item.ballots[judge], Vote)]
    return [value for value, _ in voted], [truth for _, truth in voted]


def _curves(judges: Sequence[str], labelled: Sequence[Item]) -> Translate:
    return {judge: fit_platt(*_votes(judge, labelled)) for judge in judges}


def _weight(judge: str, labelled: Sequence[Item]) -> float:
    """Weigh by the log odds of being right; who is no better than a coin counts almost nothing."""
    values, truths = _votes(judge, labelled)
    wrong = sum(error(value, truth) for value, truth in zip(values, truths, strict=True))
    return max(math.log((len(values) - wrong + 1) / (wrong + 1)), 0.01)


def error(value: float, truth: bool) -> float:
    """Say whether a value is on the wrong side of .5: 1 or 0, and .5 on neither."""
    return 0.5 if value == 0.5 else float((value > 0.5) != truth)
