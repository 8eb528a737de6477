"""Does the table of judges count right? On made-up judges whose worth is known."""

from __future__ import annotations

import random
from typing import Any

import pytest
from bench.judges.measure import Measured, correlations, equal_weights, gain, measure, split
from bench.judges.sets import Item, JudgeSet, cascade, llmbar, tau2
from bench.judges.table import lines
from bench.judges.ways import cascade as cascade_of
from bench.judges.ways import then_calibrated

from healing_eval.evaluators.judge.ballots import Ballot, MissingVote, Vote


def made_up(number: int = 240) -> JudgeSet:
    """A cheap judge that is unsure of every second item, a copy of it, and a strong one that is always right."""
    draw = random.Random(9)
    items: list[Item] = []
    for place in range(number):
        truth = draw.random() < 0.5
        right = draw.random() < 0.8
        unsure = 0.6 if truth == right else 0.4
        cheap = unsure if place % 2 else (0.9 if truth else 0.1)
        ballots: dict[str, Ballot] = {
            "cheap": Vote("cheap", cheap),
            "copy": Vote("copy", cheap),
            "strong": Vote("strong", 0.95 if truth else 0.05),
        }
        items.append(
            Item(f"item {place}", f"group {place // 2}", truth, ballots, {"cheap": 1.0, "copy": None, "strong": 10.0})
        )
    return JudgeSet("made up", "it is", ("cheap", "copy", "strong"), ("cheap", "copy"), "strong", "$", items)


def by_way(measured: list[Measured]) -> dict[str, Measured]:
    return {one.way: one for one in measured}


def test_each_way_is_worth_and_costs_what_it_must() -> None:
    found = by_way(measure(made_up(), splits=5, labels=100))

    strong, cheap, chain = found["strong, as it is"], found["cheap, as it is"], found["cascade cheap → strong"]
    assert strong.accuracy is not None
    assert strong.accuracy.mean == 1
    assert cheap.accuracy is not None
    assert cheap.accuracy.mean == pytest.approx(0.9, abs=0.03)
    assert chain.accuracy is not None
    assert chain.accuracy.mean == 1
    assert chain.asked_strong is not None
    assert chain.asked_strong.mean == pytest.approx(0.5, abs=0.05)
    assert chain.cost is not None
    assert chain.cost.mean == pytest.approx(1 + 10 * chain.asked_strong.mean)
    assert chain.relative_cost is not None
    assert chain.relative_cost.mean == pytest.approx(chain.cost.mean / 10)


def test_a_price_that_is_not_known_makes_no_sum() -> None:
    judges = made_up()
    measured = measure(judges, splits=1, labels=100)

    assert by_way(measured)["mean"].cost is None
    row = next(line for line in lines(judges, measured) if line.startswith("| mean |"))
    assert row.endswith("| not known | not known |")


def test_a_copy_adds_no_vote() -> None:
    judges = made_up()

    found = correlations(judges, judges.items, of_errors=True)

    assert found.between("cheap", "copy") == pytest.approx(1)
    assert found.effective_votes({"cheap": 1.0, "copy": 1.0}) == pytest.approx(1)
    # the strong one never errs, so that nobody can say how its errors go with others'
    assert found.effective_votes(equal_weights(judges)) is None


def test_a_gain_over_the_best_alone_is_bounded_by_how_much_items_differ() -> None:
    best = {"a": 0.5, "b": 0.7, "c": 0.9}

    same = gain(best, best)
    better = gain({"a": 0.4, "b": 0.6, "c": 0.9}, best)

    assert same is None
    assert better is not None
    assert (better.estimate, better.n) == (pytest.approx(0.2 / 3), 3)
    # Student's t with two degrees of freedom at .975 is 4.303; the differences .1, .1, 0 deviate by .0577
    assert better.high - better.estimate == pytest.approx(4.303 * 0.057735 / 3**0.5, rel=1e-3)


def test_the_best_judge_alone_is_what_others_are_measured_against() -> None:
    found = by_way(measure(made_up(), splits=3, labels=100))

    assert found["strong, calibrated"].gain is None
    worse = found["cheap, calibrated"].gain
    assert worse is not None
    assert worse.high < 0


def test_a_split_keeps_groups_whole_and_is_the_same_again() -> None:
    items = made_up().items

    labelled, rest = split(items, 100, 3)

    assert len(labelled) == 100
    assert len(labelled) + len(rest) == len(items)
    assert not {item.group for item in labelled} & {item.group for item in rest}
    assert split(items, 100, 3) == (labelled, rest)
    assert split(items, 100, 4) != (labelled, rest)


def test_labels_teach_only_what_is_learnt_from_them() -> None:
    items = made_up().items
    turned = [item._replace(truth=not item.truth) for item in items[:100]]

    plain = cascade_of(("cheap",), "strong")(turned)
    taught = then_calibrated(cascade_of(("cheap",), "strong"))(turned)

    sure = next(item for item in items if item.ballots["cheap"] == Vote("cheap", 0.9))
    assert plain.say(sure).value == 0.9
    assert (taught.say(sure).value or 1) < 0.1


def test_stored_answers_are_read_as_ballots() -> None:
    passed: dict[str, Any] = {
        "item_id": "a",
        "split_key": "a",
        "truth": 0,
        "judge": {"quick": 1, "slow": None},
        "judge_cost_usd": {"slow": 0.02, "quick": 0.01},
    }
    preferred: dict[str, Any] = {
        "item_id": "b",
        "split_key": "b",
        "truth": 1,
        "judge_probs": {"mistral-7b-instruct": [0.75, 0.25], "gpt-3.5-turbo": [0.25, 0.25], "gpt-4-turbo": [1, 0]},
    }
    swapped: dict[str, Any] = {
        "item_id": "c",
        "split_key": "c",
        "truth": 2,
        "judge_orders": {
            "GPT-4/Vanilla": ["2", "2"],
            "PaLM2/Vanilla": ["1", "2"],
            "Falcon/Vanilla": ["1", None],
            "LLaMA2/Vanilla": [None, None],
        },
    }

    one, two, three = tau2([passed]), cascade([preferred]), llmbar([swapped])

    assert (one.judges, one.strong, one.items[0].truth) == (("quick", "slow"), "slow", False)
    assert one.items[0].costs == pytest.approx({"quick": 10, "slow": 20})
    assert isinstance(one.items[0].ballots["slow"], MissingVote)
    assert two.items[0].ballots["mistral-7b-instruct"] == Vote("mistral-7b-instruct", 0.75)
    assert two.items[0].ballots["gpt-3.5-turbo"] == Vote("gpt-3.5-turbo", 0.5)
    said = {name: ballot.value for name, ballot in three.items[0].ballots.items() if isinstance(ballot, Vote)}
    assert said == {"GPT-4": 0.0, "PaLM2": 0.5, "Falcon": 1.0}
    assert not three.items[0].truth
    assert three.items[0].costs["PaLM2"] is None
