"""An evaluator that costs something, behind budgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from healing_eval import telemetry
from healing_eval.backends.spending.memory import MemorySpending
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, ModelUse
from healing_eval.errors import BackendError
from healing_eval.pipeline.accounts import Accounts
from healing_eval.pipeline.budget import Budget
from healing_eval.pipeline.budgeted import budgeted_evaluator
from healing_eval.pipeline.evaluate import evaluate
from healing_eval.ports.evaluator import Evaluator
from healing_eval.ports.spending import Charge, Spending, Spent
from healing_eval.testing.builders import a_conversation
from healing_eval.testing.toy import ToyEvaluator

DOLLAR = 1_000_000_000


class PaidEvaluator(ToyEvaluator):
    """Takes a dollar and ten tokens for each, or what it is told."""

    needs = frozenset({"model"})

    def __init__(self) -> None:
        super().__init__("judge", "judges")
        self.use: ModelUse | None = ModelUse("m", 6, 4, cost_dollars=1.0)

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        async for one in super().evaluate(conversations):
            yield Evaluation(one.conversation_key, one.evaluator, one.version, one.result, model_use=self.use)


class CountingSpending(MemorySpending):
    """Counts how often it is asked, and fails if it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0
        self.fails = False

    async def charge(self, charges: Sequence[Charge]) -> Sequence[Spent]:
        self.operations += 1
        if self.fails:
            raise BackendError("redis at r: no answer")
        return await super().charge(charges)


def hard(name: str = "b", dollars: float = 10, **other: Any) -> Budget:
    limits: dict[str, Any] = {"nanodollars": int(dollars * DOLLAR), "soft_share": 1.0, **other}
    return Budget(name=name, period="day", **limits)


@pytest.fixture
def spending() -> CountingSpending:
    return CountingSpending()


@pytest.fixture
def paid() -> PaidEvaluator:
    return PaidEvaluator()


def some(count: int, first: int = 0, project: str = "default") -> list[Conversation]:
    return [a_conversation(f"c-{n}", project=project) for n in range(first, first + count)]


async def run(evaluator: Evaluator, conversations: Sequence[Conversation]) -> list[Evaluation]:
    found = [one async for one in evaluate(conversations, [evaluator])]
    return [evaluations[0] for _, evaluations in sorted(found, key=lambda one: one[0])]


def measured(evaluations: Sequence[Evaluation]) -> int:
    return sum(isinstance(one.result, Findings) for one in evaluations)


async def spent_of(spending: Spending, name: str = "b") -> tuple[int, int]:
    (spent,) = await spending.charge([Charge(name, "day")])
    return spent.nanodollars, spent.tokens


async def test_a_spent_budget_ends_what_costs_something(spending: CountingSpending, paid: PaidEvaluator) -> None:
    accounts = Accounts([hard()], spending)
    evaluator = budgeted_evaluator(paid, accounts)
    await run(evaluator, some(4))

    rest = await run(evaluator, some(20, 4))
    await accounts.close()

    assert measured(rest) == 6
    assert len(paid.seen) == 10
    assert [one.result for one in rest[6:]] == [Abstention("not measured: budget b is spent")] * 14
    assert [one.inclusion_probability for one in rest] == [1.0] * 6 + [0.0] * 14


async def test_what_it_cost_is_charged_with_failures_that_cost(spending: CountingSpending, paid: PaidEvaluator) -> None:
    accounts = Accounts([hard(dollars=100)], spending)
    paid.gives_on["c-1"] = Failure("nonsense", "UnreadableVerdict")

    await run(budgeted_evaluator(paid, accounts), some(3))
    await until_settled(accounts)

    assert await spent_of(spending) == (3 * DOLLAR, 30)


async def until_settled(accounts: Accounts) -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_is_in_the_hands_of_another_process_is_as_good_as_spent(
    spending: CountingSpending, paid: PaidEvaluator
) -> None:
    now = 0.0
    here, there = (Accounts([hard()], spending, lambda: now) for _ in range(2))
    ours, theirs = budgeted_evaluator(paid, here), budgeted_evaluator(PaidEvaluator(), there)
    await run(ours, some(2))
    await run(theirs, some(2, 2))
    await until_settled(here)
    paid.asked.clear()
    gate = paid.waits_on["c-10"] = asyncio.Event()
    in_hand = asyncio.create_task(run(ours, some(6, 10)))
    await asyncio.wait_for(paid.asked.wait(), 5)
    now += 1.5  # the last look of the other process is too old

    refused = await run(theirs, some(1, 100))
    gate.set()
    await in_hand

    assert isinstance(refused[0].result, Abstention)


async def test_between_the_limits_some_are_sampled_with_their_probability(
    spending: CountingSpending, paid: PaidEvaluator
) -> None:
    budget = hard(dollars=1000, soft_share=0.5, least_share=0.2)
    await spending.charge([Charge("b", "day", 750 * DOLLAR)])
    paid.use = ModelUse("m", 1, 1, cost_dollars=0.0)

    evaluations = await run(budgeted_evaluator(paid, Accounts([budget], spending)), some(400))

    assert [one.inclusion_probability for one in evaluations] == pytest.approx([0.6] * 400)
    assert 200 < measured(evaluations) < 280
    left_out = next(one.result for one in evaluations if isinstance(one.result, Abstention))
    assert left_out.reason == "not measured: budget b is nearly spent, and this was not among those sampled"


async def test_where_no_budget_covers_anything_nobody_is_asked(spending: CountingSpending, paid: PaidEvaluator) -> None:
    elsewhere = Accounts([hard(evaluator="other")], spending)
    shop = budgeted_evaluator(paid, Accounts([hard(project="shop", dollars=0.5)], spending))

    evaluations = await run(shop, some(5))

    assert budgeted_evaluator(paid, elsewhere) is paid
    assert measured(evaluations) == 5
    assert spending.operations == 0


async def test_projects_are_paid_apart(spending: CountingSpending, paid: PaidEvaluator) -> None:
    await spending.charge([Charge("b", "day", 10 * DOLLAR)])
    evaluator = budgeted_evaluator(paid, Accounts([hard(project="shop")], spending))

    evaluations = await run(evaluator, [*some(3, project="shop"), *some(4)])

    assert [isinstance(one.result, Findings) for one in evaluations] == [False] * 3 + [True] * 4


async def test_a_batch_takes_two_operations_and_one_for_what_is_ready_together(
    spending: CountingSpending, paid: PaidEvaluator
) -> None:
    accounts = Accounts([hard(dollars=10_000), hard("c", 10_000)], spending)
    evaluator = budgeted_evaluator(paid, accounts)
    await run(evaluator, some(1))
    await until_settled(accounts)
    before = spending.operations
    paid.use = ModelUse("m", 7, 4, cost_dollars=1.5)

    await run(evaluator, some(100, 1))
    await accounts.close()

    assert spending.operations - before <= 3


async def test_who_cannot_find_out_what_is_left_spends_nothing_and_it_may_pass(
    spending: CountingSpending, paid: PaidEvaluator
) -> None:
    spending.fails = True

    (evaluation,) = await run(budgeted_evaluator(paid, Accounts([hard()], spending)), some(1))

    assert isinstance(evaluation.result, Failure)
    assert evaluation.result.retryable
    assert evaluation.result.reason == "what its budget has left cannot be found out: redis at r: no answer"
    assert paid.seen == []


async def test_what_could_not_be_charged_is_charged_later(spending: CountingSpending, paid: PaidEvaluator) -> None:
    accounts = Accounts([hard(dollars=100)], spending)
    gate = paid.waits_on["c-0"] = asyncio.Event()
    running = asyncio.create_task(run(budgeted_evaluator(paid, accounts), some(1)))
    await asyncio.wait_for(paid.asked.wait(), 5)
    spending.fails = True
    gate.set()
    await running
    await until_settled(accounts)
    spending.fails = False
    del paid.waits_on["c-0"]

    await run(budgeted_evaluator(paid, accounts), some(1, 1))
    await until_settled(accounts)

    assert await spent_of(spending) == (2 * DOLLAR, 20)


async def test_an_unknown_price_is_told_and_its_tokens_are_charged(
    spending: CountingSpending, paid: PaidEvaluator
) -> None:
    accounts = Accounts([hard("unpriced")], spending)
    paid.use = ModelUse("m", 6, 4)

    with capture_logs() as logs:
        await run(budgeted_evaluator(paid, accounts), some(3))
        await until_settled(accounts)

    assert await spent_of(spending, "unpriced") == (0, 30)
    assert [one["event"] for one in logs] == ["budget.not_charged"]
    assert sample("healing_eval_budget_unknown_cost_total", budget="unpriced", evaluator="judge", unit="dollars") == 3


@pytest.mark.parametrize("use", [None, ModelUse("m", calls=0, cost_dollars=0.0)])
async def test_what_was_remembered_costs_nothing_and_that_is_known(
    spending: CountingSpending, paid: PaidEvaluator, use: ModelUse | None
) -> None:
    budget = Budget(name="remembered", period="day", tokens=1000)
    accounts = Accounts([budget], spending)
    evaluator = budgeted_evaluator(paid, accounts)
    await run(evaluator, some(1))
    paid.use = use

    await run(evaluator, some(3, 1))
    await until_settled(accounts)

    unknown = sample("healing_eval_budget_unknown_cost_total", budget="remembered", evaluator="judge", unit="tokens")
    assert await spent_of(spending, "remembered") == (DOLLAR, 10)
    assert unknown is None


def sample(name: str, **labels: str) -> float | None:
    return telemetry.REGISTRY.get_sample_value(name, labels)


async def test_a_limit_that_is_reached_is_logged_once_and_shown(
    spending: CountingSpending, paid: PaidEvaluator
) -> None:
    accounts = Accounts([hard("shown", soft_share=0.5, least_share=1.0)], spending)
    evaluator = budgeted_evaluator(paid, accounts)

    with capture_logs() as logs:
        for n in range(12):
            await run(evaluator, some(1, n))
            await until_settled(accounts)

    assert [one["event"] for one in logs] == ["budget.nearly_spent", "budget.spent"]
    assert sample("healing_eval_budget_spent_ratio", budget="shown") == 1.0
    assert sample("healing_eval_budget_skipped_total", budget="shown", evaluator="judge", reason="spent") == 2


async def test_what_is_no_evaluation_is_refused_as_it_always_is(
    spending: CountingSpending, paid: PaidEvaluator
) -> None:
    accounts = Accounts([hard()], spending)
    paid.use = ModelUse("m", cost_dollars=float("nan"))
    paid.inapplicable_on["c-1"] = "says nothing"

    unsound, inapplicable = await run(budgeted_evaluator(paid, accounts), some(2))

    assert isinstance(unsound.result, Failure)
    assert unsound.result.kind == "UnsoundResult"
    assert inapplicable.result == Abstention("says nothing")
