"""Are batches handed in, followed and fetched, and is every question answered once, whatever the provider does?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.unit.gateway.conftest import Later

from healing_eval import telemetry
from healing_eval.backends.batch_model.anthropic import AnthropicBatches
from healing_eval.backends.batch_model.openai import OpenAIBatches
from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.gateway.batched import written
from healing_eval.gateway.batches import (
    FORGET_AFTER_SECONDS,
    REST_SECONDS,
    STOP_AFTER_SECONDS,
    TAKEN_OVER_SECONDS,
    Batches,
    BatchRules,
    BatchSite,
)
from healing_eval.gateway.prices import Prices
from healing_eval.gateway.rates import Rates
from healing_eval.ports.batch_model import BatchQuestion
from healing_eval.ports.batch_work import Asked, BatchWork, Standing
from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatRequest
from healing_eval.testing.fake_model import FakeModel
from healing_eval.testing.waiting import wait_until

POOL = "pool"
PRICE = Rates(input_dollars=1.0, output_dollars=1.0)
RULES = BatchRules(gather_seconds=60, most_questions=100, tries=2, price_share=0.5)
PROVIDERS: dict[str, Any] = {"openai": OpenAIBatches, "anthropic": AnthropicBatches}
Make = Callable[..., Batches]


class Clock:
    """Seconds, as a test sets them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def make(new_work: Callable[[], BatchWork], fake: FakeModel, provider: str, clock: Clock) -> AsyncGenerator[Make]:
    """Make what sees to batches, as each process does for itself."""
    made: list[Batches] = []

    def one_more(*sites: BatchSite, rules: BatchRules = RULES) -> Batches:
        made.append(Batches(new_work(), sites or [site(provider, fake)], rules, clock=clock))
        return made[-1]

    yield one_more
    for batches in made:
        await batches.close()


def site(provider: str, fake: FakeModel, name: str = "d", weight: float = 1.0, key: str = "sk-geheim") -> BatchSite:
    environment = {"OPENAI_BASE_URL": fake.base_url, "ANTHROPIC_BASE_URL": fake.address}
    keys = {"OPENAI_API_KEY": key, "ANTHROPIC_API_KEY": key} if key else {}
    model = PROVIDERS[provider].create("m", environment | keys)
    return BatchSite(name, POOL, model, Prices(model.name, None, {}, PRICE), weight)


def question(number: int, said: str = "Well?") -> Asked:
    request = ChatRequest(messages=[ChatMessage("user", f"{said} {number}")], timeout_seconds=5)
    return Asked(b"%16d" % number, POOL, written(request), mark=f"mark {number}")


async def asked(work: BatchWork, count: int = 3, said: str = "Well?") -> list[Standing]:
    return list(await work.ask([question(number, said) for number in range(count)]))


async def states(work: BatchWork, count: int = 3) -> list[str]:
    return [one.state for one in await asked(work, count)]


def answer_in(standing: Standing) -> ChatAnswer:
    assert standing.answer is not None
    return msgspec.json.decode(standing.answer, type=ChatAnswer)


def counted(outcome: str, deployment: str = "d") -> float:
    labels = {"deployment": deployment, "outcome": outcome}
    return telemetry.REGISTRY.get_sample_value("healing_eval_model_batches_total", labels) or 0.0


async def test_questions_are_gathered_handed_in_and_answered(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, provider: str
) -> None:
    batches = make()
    await asked(work)
    await batches.round()
    too_early = len(fake.batches.jobs)
    later.seconds = 60
    await batches.round()
    in_hand = await states(work)
    await batches.round()

    standings = await asked(work)
    answers = [answer_in(one) for one in standings]
    assert (too_early, in_hand) == (0, ["submitted"] * 3)
    assert [(one.state, one.mark) for one in standings] == [("answered", f"mark {number}") for number in range(3)]
    assert [(one.deployment, one.provider, one.requests) for one in answers] == [("d", provider, 1)] * 3
    assert fake.requests == 0  # nothing was asked by itself


async def test_an_answer_costs_its_share_of_the_ordinary_price(make: Make, work: BatchWork, later: Later) -> None:
    batches = make(rules=BatchRules(gather_seconds=60, most_questions=1, tries=2, price_share=0.25))
    await asked(work, 1)
    for _ in range(2):
        await batches.round()

    (answer,) = [answer_in(one) for one in await asked(work, 1)]

    assert answer.input_tokens is not None
    assert answer.output_tokens is not None
    assert answer.cost_dollars == pytest.approx(0.25e-6 * (answer.input_tokens + answer.output_tokens))


async def test_enough_questions_do_not_wait_for_more_and_the_rest_does(
    make: Make, work: BatchWork, fake: FakeModel
) -> None:
    await asked(work, 250)

    await make().round()

    assert [len(job.questions) for job in fake.batches.jobs.values()] == [100, 100]
    assert [one.questions for one in await work.waiting()] == [50]


async def test_who_takes_over_goes_on_where_the_one_before_it_stopped(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    fake.batches.held = True
    await asked(work)
    later.seconds = 60
    await make().round()
    await make().round()
    fake.batches.held = False

    await make().round()

    assert await states(work) == ["answered"] * 3
    assert len(fake.batches.seen) == 1


@pytest.mark.parametrize("held", [False, True])
async def test_a_batch_that_was_taken_unheard_is_found(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, held: bool
) -> None:
    fake.batches.deaf, fake.batches.held = True, held
    await asked(work)
    later.seconds = 60
    await make().round()
    fake.batches.deaf = False
    later.seconds += TAKEN_OVER_SECONDS
    for _ in range(2):
        await make().round()
    fake.batches.held = False
    for _ in range(3):
        await make().round()

    assert await states(work) == ["answered"] * 3
    assert len(fake.batches.seen) == 1


async def test_a_batch_that_was_never_taken_is_handed_in_again_whatever_others_are_there(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, provider: str
) -> None:
    model = site(provider, fake).model
    theirs = [BatchQuestion(f"theirs-{number}", ChatRequest(messages=[ChatMessage("user", "?")])) for number in "abc"]
    await model.submit("theirs", theirs)
    await model.close()
    fake.batches.status = 503
    await asked(work)
    later.seconds = 60
    await make().round()
    fake.batches.status = 0

    await make().round()
    left_to_the_other = len(fake.batches.seen)
    later.seconds += TAKEN_OVER_SECONDS
    for _ in range(3):
        await make().round()

    assert left_to_the_other == 1
    assert await states(work) == ["answered"] * 3
    assert len(fake.batches.seen) == 2


@pytest.mark.parametrize("status", [503, 429])
async def test_while_a_provider_is_down_one_batch_waits_and_nothing_fails(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, clock: Clock, status: int
) -> None:
    batches = make()
    fake.batches.status = status
    await asked(work, 250)
    later.seconds = 60
    for _ in range(4):
        await batches.round()
        clock.now += 30
    during = await states(work, 250)
    fake.batches.status = 0
    for _ in range(3):
        clock.now += 30
        await batches.round()

    assert during.count("submitted") == 100
    assert await states(work, 250) == ["answered"] * 250


async def test_what_failed_is_tried_in_another_batch_and_then_asked_directly(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    batches = make()
    fake.mode, fake.only_containing = "500", "Well? 1"
    await asked(work)
    seen: list[list[str]] = []
    for _ in range(4):
        later.seconds += 60
        await batches.round()
        seen.append(await states(work))

    assert [some[1] for some in seen] == ["submitted", "submitted", "direct", "direct"]
    assert [len(job.questions) for job in fake.batches.seen] == [3, 1]
    assert [some[0] for some in seen][1:] == ["answered"] * 3


@pytest.mark.parametrize("fate", ["expired", "lost", "gone", "failed"])
async def test_of_batches_that_answer_nothing_no_question_is_lost(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, fate: str
) -> None:
    batches = make()
    fake.batches.fate = fate
    await asked(work)
    for _ in range(4):
        later.seconds += 60
        await batches.round()

    assert await states(work) == ["direct"] * 3
    assert len(fake.batches.seen) == RULES.tries
    assert list(await work.batches()) == []


async def test_half_a_batch_is_better_than_none(make: Make, work: BatchWork, fake: FakeModel, later: Later) -> None:
    batches = make()
    fake.batches.fate = "partial"
    await asked(work, 4)
    later.seconds = 60
    await batches.round()
    fake.batches.fate = "ok"
    await batches.round()
    halfway = await states(work, 4)
    await batches.round()

    assert halfway == ["answered", "submitted"] * 2
    assert await states(work, 4) == ["answered"] * 4


async def test_a_provider_that_has_too_much_of_ours_is_given_nothing_for_a_while_and_no_question_fails(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, clock: Clock, provider: str
) -> None:
    batches = make(rules=BatchRules(gather_seconds=60, most_questions=100, tries=1, price_share=0.5))
    fake.batches.fate, fake.retry_after = "too_much", "900"
    await asked(work)
    for _ in range(3):
        later.seconds += 60
        await batches.round()
    before = len(fake.batches.seen)
    fake.batches.fate = "ok"
    clock.now += REST_SECONDS + 1
    for _ in range(2):
        await batches.round()

    assert before == (1 if provider == "openai" else 0)
    assert await states(work) == ["answered"] * 3


async def test_answers_that_lie_reach_no_other_question(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    batches = make()
    fake.batches.fate = "hostile"
    await asked(work)
    for _ in range(2):
        later.seconds += 60
        await batches.round()

    assert await states(work) == ["answered"] * 3
    assert [one.questions for one in await work.waiting()] == []


async def test_a_question_that_was_deleted_meanwhile_is_not_brought_back_by_its_answer(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, tmp_path: Path
) -> None:
    about = b"c" * 16
    kept = question(0)
    gone = Asked(b"%16d" % 1, POOL, kept.request, about=about)
    await work.ask([kept, gone])
    later.seconds = 60
    batches = make()
    await batches.round()
    ledger = SqliteLedger.from_url(f"sqlite:///{tmp_path}/store.db")
    await ledger.open()
    await ledger.delete([about])
    await ledger.close()

    await batches.round()

    assert [one.state for one in await work.ask([kept, gone])] == ["answered", "waiting"]


async def test_a_cancelled_batch_is_stopped_and_what_it_did_not_answer_asked_directly(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    batches = make()
    fake.batches.held = True
    before = counted("cancelled")
    await asked(work)
    later.seconds = 60
    await batches.round()
    (batch,) = await work.batches()
    await work.cancel(batch.batch_id)
    for _ in range(3):
        await batches.round()

    assert await states(work) == ["direct"] * 3
    assert fake.batches.cancels == 1
    assert [one.ended for one in await work.batches(ended=True)] == [True]
    assert counted("cancelled") == before + 1


async def test_what_a_cancelled_batch_had_answered_is_kept(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    batches = make()
    fake.batches.held = True
    await asked(work)
    later.seconds = 60
    await batches.round()
    (batch,) = await work.batches()
    await work.cancel(batch.batch_id)
    await batches.round()
    fake.batches.held = False  # it is done with all of them before it stops

    await batches.round()

    assert await states(work) == ["answered"] * 3


async def test_a_batch_that_was_never_handed_in_can_be_cancelled(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, clock: Clock
) -> None:
    batches = make()
    fake.batches.status = 503
    await asked(work)
    later.seconds = 60
    await batches.round()
    (batch,) = await work.batches()
    await work.cancel(batch.batch_id)
    fake.batches.status = 0
    clock.now += 30
    await batches.round()

    assert await states(work) == ["direct"] * 3
    assert fake.batches.seen == []


async def test_a_batch_that_takes_longer_than_a_day_is_stopped_and_at_last_given_up(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    batches = make()
    fake.batches.held = fake.batches.stubborn = True
    await asked(work)
    later.seconds = 60
    await batches.round()
    cancels: list[int] = []
    for age in (STOP_AFTER_SECONDS - 60, STOP_AFTER_SECONDS + 60, FORGET_AFTER_SECONDS + 61):
        later.seconds = 60 + age
        await batches.round()
        cancels.append(fake.batches.cancels)

    assert cancels == [0, 1, 1]
    assert await states(work) == ["direct"] * 3
    assert list(await work.batches()) == []


@pytest.mark.parametrize("status", [401, 503])
async def test_a_batch_that_cannot_be_asked_about_is_given_up_after_a_day(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, status: int
) -> None:
    await asked(work)
    later.seconds = 60
    batches = make()
    await batches.round()
    fake.batches.status = status
    await batches.round()
    during = await states(work)
    later.seconds += FORGET_AFTER_SECONDS + 1
    await batches.round()

    assert (during, await states(work)) == (["submitted"] * 3, ["direct"] * 3)


async def test_a_batch_the_provider_has_forgotten_counts_as_failed(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    batches = make()
    await asked(work)
    later.seconds = 60
    await batches.round()
    fake.batches.jobs.clear()
    await batches.round()  # and they are handed in once more

    assert await states(work) == ["submitted"] * 3
    await batches.round()
    assert await states(work) == ["answered"] * 3


async def test_a_batch_of_a_deployment_that_is_gone_is_given_up_after_a_day(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, provider: str
) -> None:
    await asked(work)
    later.seconds = 60
    await make().round()
    other = make(site(provider, fake, "other"))
    await other.round()
    during = await states(work)
    later.seconds += FORGET_AFTER_SECONDS + 1
    await other.round()

    assert (during, await states(work)) == (["submitted"] * 3, ["direct"] * 3)


async def test_a_deployment_that_takes_nothing_from_us_leaves_it_to_the_others(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, provider: str
) -> None:
    refused = counted("failed", "revoked")
    batches = make(site(provider, fake, "revoked", weight=9.0, key=""), site(provider, fake, "good"))
    await asked(work)
    for _ in range(3):
        later.seconds += 60
        await batches.round()

    assert [answer_in(one).deployment for one in await asked(work)] == ["good"] * 3
    assert counted("failed", "revoked") == refused + 1


async def test_deployments_are_given_batches_by_their_weight(
    make: Make, work: BatchWork, fake: FakeModel, provider: str
) -> None:
    fake.batches.held = True
    sites = [site(provider, fake, "large", 3.0), site(provider, fake, "small", 1.0), site(provider, fake, "spare", 0.0)]
    await asked(work, 800)

    await make(*sites).round()

    given = [one.deployment for one in await work.batches()]
    assert (given.count("large"), given.count("small"), given.count("spare")) == (6, 2, 0)


async def test_two_who_see_to_the_same_batches_do_no_harm(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    several = [make() for _ in range(3)]
    await asked(work, 90)
    later.seconds = 60
    for _ in range(4):
        await asyncio.gather(*(one.round() for one in several))

    assert await states(work, 90) == ["answered"] * 90
    ended = await work.batches(ended=True)
    assert sum(one.answered or 0 for one in ended) == 90
    assert all(one.ended for one in ended)


async def test_a_batch_that_two_have_handed_in_is_cancelled_by_the_second(
    make: Make, work: BatchWork, fake: FakeModel, later: Later, clock: Clock
) -> None:
    fake.batches.status = 503
    await asked(work)
    later.seconds = 60
    await make().round()
    fake.batches.status, fake.batches.held, fake.batches.keeps_labels = 0, True, False
    later.seconds += TAKEN_OVER_SECONDS
    await asyncio.gather(*(make().round() for _ in range(2)))

    handed_in, cancelled = len(fake.batches.seen), fake.batches.cancels
    assert handed_in == cancelled + 1
    (batch,) = await work.batches()
    working = [job.job_id for job in fake.batches.jobs.values() if job.status == "working"]
    assert working == [batch.provider_id]


async def test_one_who_is_told_to_stop_while_a_batch_is_handed_in_notes_it_first(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    await asked(work)
    later.seconds = 60
    fake.batches.slow_seconds = 0.2
    doing = asyncio.create_task(make().round())

    async def is_coming() -> bool:
        return fake.batches.coming > 0

    await wait_until(is_coming)
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing

    (batch,) = await work.batches()
    assert [batch.provider_id] == list(fake.batches.jobs)


async def test_the_provider_keeps_nothing_of_what_has_been_fetched(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    batches = make()
    await asked(work)
    for _ in range(2):
        later.seconds += 60
        await batches.round()

    kept = [job for job in fake.batches.jobs.values() if job.path != "/v1/chat/completions"]
    assert (fake.batches.files, kept) == ({}, [])


async def test_what_is_logged_holds_neither_questions_nor_answers_nor_keys(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    batches = make()
    fake.mode, fake.only_containing = "400", "secret 1"
    await asked(work, said="secret")
    with capture_logs() as logs:
        for _ in range(4):
            later.seconds += 60
            await batches.round()

    assert {one["event"] for one in logs} == {"batch.handed_in", "batch.ended"}
    assert "secret" not in str(logs)
    assert "geheim" not in str(logs)


async def test_operators_see_what_waits_and_what_is_in_hand(
    make: Make, work: BatchWork, fake: FakeModel, later: Later
) -> None:
    def gauges() -> list[float | None]:
        waiting = telemetry.REGISTRY.get_sample_value("healing_eval_model_batch_waiting", {"model": POOL})
        return [waiting, telemetry.REGISTRY.get_sample_value("healing_eval_model_batch_open", {"deployment": "d"})]

    batches = make()
    await asked(work)
    await batches.round()
    before = gauges()
    later.seconds = 60
    await batches.round()
    in_hand = gauges()
    await batches.round()

    assert (before, in_hand, gauges()) == ([3, 0], [0, 3], [0, 0])
