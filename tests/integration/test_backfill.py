"""Ledger, stream, workers and budgets together: what was left out is measured later, and nothing is paid twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.backends.spending.memory import MemorySpending
from healing_eval.backends.spending.redis import RedisSpending
from healing_eval.backends.stream.memory import MemoryStream
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, ModelUse
from healing_eval.domain.unmeasured import Why
from healing_eval.domain.verdict import VerdictRules
from healing_eval.pipeline.accounts import Accounts
from healing_eval.pipeline.backfill import Backfilled, Wanted, backfill
from healing_eval.pipeline.budget import Budget
from healing_eval.pipeline.budgeted import budgeted_evaluator
from healing_eval.pipeline.close import Lane
from healing_eval.pipeline.evaluate import evaluate
from healing_eval.ports.evaluator import Evaluator
from healing_eval.ports.spending import Charge
from healing_eval.testing.builders import PROJECT, a_conversation, a_submission
from healing_eval.testing.toy import ToyEvaluator
from healing_eval.testing.waiting import wait_until
from healing_eval.worker.loop import LaneWorker
from healing_eval.worker.pace import Pace

LANE = "judges"
DOLLAR = 1_000_000_000
EVERY: tuple[Why, ...] = ("budget", "failed", "no-model")


class Paid(ToyEvaluator):
    """Takes a dollar for each."""

    needs = frozenset({"model"})

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        use = ModelUse("m", 6, 4, cost_dollars=1.0)
        async for one in super().evaluate(conversations):
            yield Evaluation(one.conversation_key, one.evaluator, one.version, one.result, model_use=use)


async def work(ledger: SqliteLedger, stream: MemoryStream, evaluators: Sequence[Evaluator], done: int) -> None:
    """Work until so many conversations are done."""
    stop = asyncio.Event()
    rules = VerdictRules({one.name: 1.0 for one in evaluators})
    lane = Lane(LANE, tuple(evaluators), rules, paid=tuple(one.name for one in evaluators))
    pace = Pace(batch=4, wait_seconds=0.05, retry_for_seconds=0)
    running = asyncio.create_task(LaneWorker(lane, ledger, stream, pace, consumer="w").run(stop))

    async def all_done() -> bool:
        return (await ledger.count_by_status()).get("done", 0) == done and await stream.depth(LANE) == 0

    await wait_until(all_done)
    stop.set()
    await running


async def fill(ledger: SqliteLedger, stream: MemoryStream, *evaluators: str, limit: int = 100) -> list[Backfilled]:
    wanted = Wanted(project=PROJECT, why=EVERY, limit=limit)
    lanes = dict.fromkeys(evaluators, LANE)
    return [one async for one in backfill(ledger, stream, lanes, wanted, dry_run=False)]


async def test_what_a_budget_left_out_is_measured_once_it_is_raised_and_the_rest_is_kept(
    ledger: SqliteLedger,
) -> None:
    stream, judge, other = MemoryStream(), Paid("judge", LANE), Paid("other", LANE)
    spending = MemorySpending()
    await stream.open([LANE])
    low = Budget(name="b", period="day", evaluator="judge", nanodollars=4 * DOLLAR, soft_share=1.0)
    receipts = await ledger.add([a_submission(a_conversation(f"c-{n}")) for n in range(12)], [LANE])
    await stream.append(LANE, [one.revision_key for one in receipts])
    await work(ledger, stream, [budgeted_evaluator(judge, Accounts([low], spending)), other], 12)
    seen_before = len(judge.seen), len(other.seen)

    (found,) = await fill(ledger, stream, "judge")
    high = Budget(name="b", period="day", evaluator="judge", nanodollars=100 * DOLLAR, soft_share=1.0)
    await work(ledger, stream, [budgeted_evaluator(judge, Accounts([high], spending)), other], 12)

    assert 4 <= seen_before[0] < 12
    assert seen_before[1] == 12
    assert found.conversations == {"budget": 12 - seen_before[0]}
    assert (len(judge.seen), len(other.seen)) == (12, 12)
    assert len(set(judge.seen)) == 12
    for receipt in receipts:
        evaluated = await ledger.evaluated(receipt.revision_key.conversation_key)
        assert evaluated is not None
        assert evaluated.verdict is not None
        assert (evaluated.verdict.missing, evaluated.verdict.final) == ((), True)
        assert [one.evaluator for one in evaluated.evaluations] == ["judge", "other"]


@pytest.mark.services
async def test_many_processes_together_keep_to_a_budget_but_for_a_batch_of_each(redis_url: str) -> None:
    processes, batch, limit = 4, 16, 200
    budget = Budget(name="b", period="month", nanodollars=limit * DOLLAR, soft_share=1.0)
    accounts = [Accounts([budget], RedisSpending.from_url(redis_url)) for _ in range(processes)]
    judges = [Paid("judge", LANE) for _ in accounts]

    async def spend(process: int) -> None:
        evaluator = budgeted_evaluator(judges[process], accounts[process])
        for start in range(0, 20 * batch, batch):
            some = [a_conversation(f"{process}-{n}") for n in range(start, start + batch)]
            assert len([one async for one in evaluate(some, [evaluator])]) == batch

    await asyncio.gather(*map(spend, range(processes)))
    for one in accounts:
        await one.close()

    counting = RedisSpending.from_url(redis_url)
    (spent,) = await counting.charge([Charge("b", "month")])
    await counting.close()
    paid = sum(len(judge.seen) for judge in judges)
    assert limit <= paid <= limit + processes * batch
    assert spent.nanodollars == paid * DOLLAR


async def test_what_is_still_over_the_budget_stays_missing(ledger: SqliteLedger) -> None:
    stream, judge = MemoryStream(), Paid("judge", LANE)
    await stream.open([LANE])
    budget = Budget(name="b", period="day", nanodollars=1, soft_share=1.0)
    accounts = Accounts([budget], MemorySpending())
    receipts = await ledger.add([a_submission(a_conversation(f"c-{n}")) for n in range(6)], [LANE])
    await stream.append(LANE, [one.revision_key for one in receipts])
    await work(ledger, stream, [budgeted_evaluator(judge, accounts)], 6)

    (first,) = await fill(ledger, stream, "judge", limit=1)
    await work(ledger, stream, [budgeted_evaluator(judge, accounts)], 6)
    (second,) = await fill(ledger, stream, "judge")

    assert first.count == 1
    assert second.count == 6 - len(judge.seen)
