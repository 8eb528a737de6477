"""May this conversation still be evaluated for money?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.domain.conversation import conversation_key
from healing_eval.pipeline.budget import Budget, Choice, Cost, choose, draw, sampled_share, spent_share, state_of
from healing_eval.ports.spending import Spent

BUDGET = Budget(name="b", period="day", nanodollars=1000, soft_share=0.8, least_share=0.1)
shares = st.floats(0, 2)


def test_a_budget_is_used_by_whichever_of_its_limits_is_nearer() -> None:
    both = Budget(name="b", period="day", nanodollars=1000, tokens=10)

    assert spent_share(both, Spent("d", 500, 2)) == 0.5
    assert spent_share(both, Spent("d", 100, 9)) == 0.9
    assert spent_share(both, Spent("d", 100, 2), Cost(None, 6)) == 0.8
    assert spent_share(BUDGET, Spent("d", 100, 10**9)) == 0.1


@pytest.mark.parametrize(
    ("spent", "state", "sampled"),
    [(0, "ok", 1), (0.79, "ok", 1), (0.8, "soft", 1), (0.9, "soft", 0.55), (0.9999999, "soft", 0.1), (1, "spent", 0)],
)
def test_between_the_limits_the_share_falls_evenly(spent: float, state: str, sampled: float) -> None:
    assert state_of(BUDGET, spent) == state
    assert sampled_share(BUDGET, spent) == pytest.approx(sampled, abs=1e-5)


def test_without_a_soft_limit_everything_is_evaluated_up_to_the_hard_one() -> None:
    budget = Budget(name="b", period="day", nanodollars=1000, soft_share=1.0)

    assert (sampled_share(budget, 0.999), sampled_share(budget, 1.0)) == (1.0, 0.0)


@given(shares, shares, st.floats(0.01, 1), st.floats(0.01, 1))
def test_who_has_spent_more_samples_no_more(one: float, other: float, soft: float, least: float) -> None:
    budget = Budget(name="b", period="day", tokens=1, soft_share=soft, least_share=least)

    fewer, more = sampled_share(budget, max(one, other)), sampled_share(budget, min(one, other))

    assert 0 <= fewer <= more <= 1
    assert fewer == 0 or fewer >= least - 1e-9


@given(st.binary(min_size=16, max_size=16), st.text(max_size=20))
def test_a_number_is_drawn_once_and_for_all(key: bytes, evaluator: str) -> None:
    assert 0 <= draw(key, evaluator) < 1
    assert draw(key, evaluator) == draw(key, evaluator)


@given(st.integers(0, 2**30), st.floats(0.8, 0.999))
def test_as_many_are_chosen_as_the_share_says(seed: int, used: float) -> None:
    keys = [conversation_key(f"project {seed}", f"c-{n}") for n in range(2000)]
    spent = {"b": Spent("d", round(1000 * used))}

    choices = choose([(key, [BUDGET]) for key in keys], "judge", spent, Cost())

    share = choices[0].probability
    chosen = sum(one.chosen for one in choices)
    assert abs(chosen / 2000 - share) < 6 * (0.25 / 2000) ** 0.5
    assert choices == choose([(key, [BUDGET]) for key in keys], "judge", spent, Cost())


def test_evaluators_choose_independently_of_each_other() -> None:
    keys = [conversation_key("p", f"c-{n}") for n in range(4000)]

    both = sum(draw(key, "judge") < 0.5 and draw(key, "other") < 0.5 for key in keys)

    assert both / 4000 == pytest.approx(0.25, abs=0.04)


def test_what_was_chosen_before_in_a_batch_is_as_good_as_paid() -> None:
    hard = Budget(name="b", period="day", nanodollars=1000, soft_share=1.0)
    keys = [conversation_key("p", f"c-{n}") for n in range(10)]

    choices = choose([(key, [hard]) for key in keys], "judge", {"b": Spent("d", 600)}, Cost(100, 5))

    assert [one.chosen for one in choices] == [True] * 4 + [False] * 6
    assert choices[-1].reason == "not measured: budget b is spent"


def test_of_several_budgets_the_one_that_allows_least_decides() -> None:
    other = Budget(name="other", period="month", tokens=100)
    spent = {"b": Spent("d", 900), "other": Spent("m", 0, 100)}

    (choice,) = choose([(b"k" * 16, [BUDGET, other])], "judge", spent, Cost())

    assert choice == Choice(chosen=False, probability=0.0, budget="other")


def test_what_no_budget_covers_is_chosen() -> None:
    assert choose([(b"k" * 16, [])], "judge", {}, Cost(100)) == [Choice(chosen=True)]


def test_a_budget_covers_what_it_names() -> None:
    one = Budget(name="b", period="day", tokens=1, project="shop", evaluator="judge")

    assert one.covers("judge", "shop")
    assert not one.covers("judge", "default")
    assert not one.covers("other", "shop")
    assert BUDGET.covers("anybody", "anything")
