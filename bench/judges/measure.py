"""How good is each way on items it has not seen, over many splits?"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bench.judges.sets import Item, JudgeSet
from bench.judges.ways import Fitted, Said, error, ways
from healing_eval.evaluators.judge.ballots import Vote
from healing_eval.evaluators.judge.correlation import Correlations
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


class Round(NamedTuple):
    """One way on the test side of one split, in the order of `Measured`."""

    log_loss: float | None
    accuracy: float | None
    auc: float | None
    effective_votes: float | None
    asked_strong: float | None
    cost: float | None
    relative_cost: float | None


def measure(judges: JudgeSet, splits: int, labels: int) -> list[Measured]:
    """Fit and test every way on each of the splits, which are the same in every run."""
    rounds: dict[str, list[Round]] = {name: [] for name, _ in ways(judges)}
    for number in range(splits):
        labelled, rest = split(judges.items, labels, number)
        errors = correlations(judges, rest, of_errors=True)
        for name, way in ways(judges):
            rounds[name].append(score(way(labelled), rest, judges.strong, errors))
    return [Measured(name, *map(_figure, zip(*found, strict=True))) for name, found in rounds.items()]


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


def score(fitted: Fitted, rest: Sequence[Item], strong: str, errors: Correlations) -> Round:
    """Score one way where it gave a value; what it cost counts on all items."""
    said = [(fitted.say(item), item) for item in rest]
    values = [one.value for one, _ in said if one.value is not None]
    truths = [item.truth for one, item in said if one.value is not None]
    asks = {judge for one, _ in said for judge in one.asked}
    cost = _cost(said)
    whole = _cost((Said(None, (strong,)), item) for item in rest)
    return Round(
        log_loss(values, truths),
        accuracy(values, truths),
        auc(zip(values, truths, strict=True)),
        errors.effective_votes(fitted.weights) if fitted.weights else None,
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
