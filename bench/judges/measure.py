"""How good is each way on items it has not seen, over many splits?"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bench.judges.sets import Item, JudgeSet
from bench.judges.ways import Said, calibrated_alone, error, ways
from healing_eval.evaluators.judge.ballots import Vote
from healing_eval.evaluators.judge.correlation import Correlations
from healing_eval.metaeval.intervals import Interval, t_quantile
from healing_eval.metaeval.scoring import accuracy, auc, log_loss

SEED = 17


class Figure(NamedTuple):
    """Mean and spread (standard deviation) over the splits."""

    mean: float
    spread: float


class Measured(NamedTuple):
    """How one way did; None where there is nothing to measure, or a price is not known."""

    way: str
    log_loss: Figure | None
    accuracy: Figure | None
    auc: Figure | None
    effective_votes: Figure | None
    asked_strong: Figure | None
    cost: Figure | None
    relative_cost: Figure | None
    """To asking the strong judge about every item."""
    gain: Interval | None = None
    """How much less log-loss than the best judge alone; its bounds are over the items, which the splits share."""


class Round(NamedTuple):
    """One way on the test side of one split, by the names of `Measured`."""

    log_loss: float | None
    accuracy: float | None
    auc: float | None
    effective_votes: float | None
    asked_strong: float | None
    cost: float | None
    relative_cost: float | None


class Trials:
    """What was seen of one way so far."""

    def __init__(self) -> None:
        self.rounds: list[Round] = []
        self._losses: dict[str, list[float]] = {}

    def add(self, one: Round, said: Sequence[tuple[Said, Item]]) -> None:
        self.rounds.append(one)
        for (value, _), item in said:
            loss = None if value is None else log_loss([value], [item.truth])
            if loss is not None:
                self._losses.setdefault(item.name, []).append(loss)

    def figures(self) -> dict[str, Figure | None]:
        columns = zip(*self.rounds, strict=True)
        return {name: _figure(column) for name, column in zip(Round._fields, columns, strict=True)}

    def losses(self) -> dict[str, float]:
        """Give the mean loss of each item over the splits that tested it."""
        return {name: statistics.fmean(losses) for name, losses in self._losses.items()}


def measure(judges: JudgeSet, splits: int, labels: int) -> list[Measured]:
    """Fit and test every way on each of the splits, which are the same in every run."""
    tried = {name: Trials() for name, _ in ways(judges)}
    for number in range(splits):
        labelled, rest = split(judges.items, labels, number)
        errors = correlations(judges, rest, of_errors=True)
        for name, way in ways(judges):
            fitted = way(labelled)
            said = [(fitted.say(item), item) for item in rest]
            tried[name].add(score(said, fitted.weights, judges.strong, errors), said)
    alone = [tried[calibrated_alone(judge)].losses() for judge in judges.judges]
    best = min(alone, key=lambda losses: statistics.fmean(losses.values()))
    return [Measured(name, **found.figures(), gain=gain(found.losses(), best)) for name, found in tried.items()]


def gain(losses: Mapping[str, float], best: Mapping[str, float]) -> Interval | None:
    """Say how much less is lost than by the best judge alone, with the 95 % bounds of a mean of differences by item.

    None for that judge itself. Which judge is best is known only afterwards, which favours it a little.
    """
    differences = [best[name] - loss for name, loss in losses.items() if name in best]
    if len(differences) < 2 or not any(differences):
        return None
    n = len(differences)
    mean = statistics.fmean(differences)
    half = t_quantile(0.975, n - 1) * statistics.stdev(differences) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def split(items: Sequence[Item], labels: int, number: int) -> tuple[list[Item], list[Item]]:
    """Draw groups until `labels` items or one or two more are labelled; the others are for the test."""
    by_group: dict[str, list[Item]] = {}
    for item in items:
        by_group.setdefault(item.group, []).append(item)
    groups = list(by_group.values())
    random.Random(f"{SEED}:{number}").shuffle(groups)
    labelled: list[Item] = []
    rest: list[Item] = []
    for group in groups:
        (labelled if len(labelled) < labels else rest).extend(group)
    return labelled, rest


def score(
    said: Sequence[tuple[Said, Item]], weights: Mapping[str, float] | None, strong: str, errors: Correlations
) -> Round:
    """Score answers where there is one; what they cost counts on all items."""
    values = [one.value for one, _ in said if one.value is not None]
    truths = [item.truth for one, item in said if one.value is not None]
    asks = {judge for one, _ in said for judge in one.asked}
    cost = _cost(said)
    whole = _cost((Said(None, (strong,)), item) for _, item in said)
    return Round(
        log_loss(values, truths),
        accuracy(values, truths),
        auc(zip(values, truths, strict=True)),
        errors.effective_votes(weights) if weights else None,
        statistics.fmean(strong in one.asked for one, _ in said) if strong in asks else None,
        cost,
        None if cost is None or not whole else cost / whole,
    )


def correlations(judges: JudgeSet, items: Iterable[Item], *, of_errors: bool) -> Correlations:
    """Compare the judges over items: their errors, or what they say, which needs no truth."""
    found = Correlations(judges.judges)
    for item in items:
        votes = {name: ballot.value for name, ballot in item.ballots.items() if isinstance(ballot, Vote)}
        found.add({name: error(value, item.truth) for name, value in votes.items()} if of_errors else votes)
    return found


def equal_weights(judges: JudgeSet) -> Mapping[str, float]:
    return dict.fromkeys(judges.judges, 1.0)


def _cost(said: Iterable[tuple[Said, Item]]) -> float | None:
    """Give the mean cost of an item; a sum that lacks a part is not known."""
    costs = [[item.costs[judge] for judge in one.asked] for one, item in said]
    known = [cost for each in costs for cost in each if cost is not None]
    return math.fsum(known) / len(costs) if len(known) == sum(map(len, costs)) else None


def _figure(values: Sequence[float | None]) -> Figure | None:
    """Summarise the splits in which there was something to measure."""
    known = [value for value in values if value is not None]
    return Figure(statistics.fmean(known), statistics.pstdev(known)) if known else None
