"""Ledger, stream and worker together: what is accepted gets its verdict, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import cast

import msgspec
import pytest
from structlog.testing import capture_logs

from healing_eval import plugins, telemetry
from healing_eval.domain.evaluation import Failure, Findings
from healing_eval.domain.query import ConversationFilter
from healing_eval.domain.revision import RevisionKey, Status
from healing_eval.domain.verdict import VerdictRules
from healing_eval.errors import AnswerPending, BackendError, ModelUnavailable
from healing_eval.pipeline.close import Lane
from healing_eval.ports.lease import Lease
from healing_eval.ports.ledger import Decide, LaneResult, Ledger
from healing_eval.ports.stream import Delivery, Stream
from healing_eval.testing.builders import PROJECT, a_conversation, a_submission
from healing_eval.testing.toy import ToyEvaluator
from healing_eval.testing.waiting import wait_until
from healing_eval.worker.census import Census
from healing_eval.worker.holding import TIMES
from healing_eval.worker.loop import LaneWorker
from healing_eval.worker.pace import Pace
from healing_eval.worker.sweep import sweep_lane
from healing_eval.worker.turn import Turn

LANE = "checks"
QUICK = Pace(batch=8, wait_seconds=0.05, redeliver_after_seconds=0.2, backoff_seconds=0.02, max_attempts=3)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.services)])
async def stream(request: pytest.FixtureRequest) -> AsyncIterator[Stream]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    opened: Stream = plugins.load_for_url(plugins.STREAM, url).from_url(url)  # type: ignore[attr-defined]
    await opened.open([LANE])
    yield opened
    await opened.close()


@pytest.fixture
def toy() -> ToyEvaluator:
    return ToyEvaluator()


Work = Callable[..., asyncio.Task[None]]


@pytest.fixture
async def work(ledger: Ledger, stream: Stream, toy: ToyEvaluator) -> AsyncIterator[Work]:
    """Start workers; all are stopped in the end."""
    stop = asyncio.Event()
    running: list[asyncio.Task[None]] = []

    def start(on: Ledger = ledger, pace: Pace = QUICK, by: object = stream) -> asyncio.Task[None]:
        lane = Lane(LANE, (toy,), VerdictRules({"toy": 1.0}))
        worker = LaneWorker(lane, on, cast("Stream", by), pace, consumer=f"worker-{len(running)}")
        running.append(asyncio.create_task(worker.run(stop)))
        return running[-1]

    yield start
    stop.set()
    await asyncio.gather(*running, return_exceptions=True)


async def accept(ledger: Ledger, *names: str) -> list[RevisionKey]:
    receipts = await ledger.add([a_submission(a_conversation(name)) for name in names], [LANE])
    return [receipt.revision_key for receipt in receipts]


async def until_status(ledger: Ledger, status: Status, count: int) -> None:
    async def holds() -> bool:
        return (await ledger.count_by_status()).get(status, 0) == count

    await wait_until(holds)


async def until_empty(stream: Stream) -> None:
    async def holds() -> bool:
        return await stream.depth(LANE) == 0

    await wait_until(holds)


async def test_what_is_rung_is_evaluated_and_acknowledged(ledger: Ledger, stream: Stream, work: Work) -> None:
    keys = await accept(ledger, *(f"c{n}" for n in range(30)))
    await stream.append(LANE, keys)

    work()

    await until_status(ledger, "done", 30)
    await until_empty(stream)
    found = await ledger.evaluated(keys[0].conversation_key)
    assert found is not None
    assert found.verdict is not None
    assert (found.verdict.outcome, found.verdict.final) == ("pass", True)


async def test_the_same_message_twice_is_evaluated_once(
    ledger: Ledger, stream: Stream, work: Work, toy: ToyEvaluator
) -> None:
    keys = await accept(ledger, "c")
    await stream.append(LANE, [*keys, *keys])

    work()

    await until_empty(stream)
    await stream.append(LANE, keys)
    await until_empty(stream)
    assert toy.seen == ["c"]
    found = await ledger.evaluated(keys[0].conversation_key)
    assert found is not None
    assert len(found.evaluations) == 1


async def test_what_was_never_rung_is_found_by_the_sweeper(ledger: Ledger, stream: Stream, work: Work) -> None:
    await accept(ledger, "a", "b")
    work()

    rung = await sweep_lane(LANE, ledger, stream, accepted_before=datetime.now(UTC))

    assert rung == 2
    await until_status(ledger, "done", 2)


async def test_the_sweeper_leaves_a_lane_alone_that_holds_a_message_for_all_that_is_pending(
    ledger: Ledger, stream: Stream
) -> None:
    await stream.append(LANE, await accept(ledger, "a", "b"))

    assert await sweep_lane(LANE, ledger, stream, accepted_before=datetime.now(UTC)) == 0


async def test_the_sweeper_rings_again_on_a_busy_lane_that_lost_some(ledger: Ledger, stream: Stream) -> None:
    keys = await accept(ledger, "a", "b")
    await stream.append(LANE, keys[:1])

    assert await sweep_lane(LANE, ledger, stream, accepted_before=datetime.now(UTC)) == 2


async def test_of_two_processes_one_has_the_turn_to_sweep() -> None:
    lease: Lease = plugins.load_for_url(plugins.LEASE, "memory://").from_url("memory://")  # type: ignore[attr-defined]
    one, other = Turn(lease, "host-1", "sweep"), Turn(lease, "host-2", "sweep")

    turns = [await one.is_ours(60), await other.is_ours(60), await one.is_ours(60)]

    assert turns == [True, False, True]


async def test_one_hanging_conversation_holds_only_itself(
    ledger: Ledger, stream: Stream, work: Work, toy: ToyEvaluator
) -> None:
    toy.waits_on["c7"] = asyncio.Event()
    await stream.append(LANE, await accept(ledger, *(f"c{n}" for n in range(8))))

    work()

    await until_status(ledger, "done", 7)
    toy.waits_on["c7"].set()
    await until_status(ledger, "done", 8)


async def test_conversations_that_hang_take_up_their_own_places_only(
    ledger: Ledger, stream: Stream, work: Work, toy: ToyEvaluator
) -> None:
    for name in ("c3", "c7"):
        toy.waits_on[name] = asyncio.Event()
    await stream.append(LANE, await accept(ledger, *(f"c{n}" for n in range(24))))

    work(pace=Pace(batch=4, most_in_hand=8, wait_seconds=0.05))

    await until_status(ledger, "done", 22)
    toy.waits_on["c3"].set()
    toy.waits_on["c7"].set()
    await until_status(ledger, "done", 24)


async def test_what_a_dead_worker_held_is_taken_over(ledger: Ledger, stream: Stream, work: Work) -> None:
    await stream.append(LANE, await accept(ledger, "a"))
    assert len(await stream.read(LANE, "dead", count=8, wait_seconds=0)) == 1

    work()

    await until_status(ledger, "done", 1)


async def test_a_stopped_worker_finishes_what_is_in_hand(ledger: Ledger, stream: Stream, toy: ToyEvaluator) -> None:
    toy.waits_on["a"] = asyncio.Event()
    await stream.append(LANE, await accept(ledger, "a"))
    stop = asyncio.Event()
    lane = Lane(LANE, (toy,), VerdictRules({"toy": 1.0}))
    running = asyncio.create_task(LaneWorker(lane, ledger, stream, QUICK, consumer="w").run(stop))
    await toy.asked.wait()

    stop.set()
    toy.waits_on["a"].set()
    await running

    assert (await ledger.count_by_status()).get("done") == 1
    assert await stream.depth(LANE) == 0


async def test_a_worker_out_of_grace_gives_back_what_it_holds(
    ledger: Ledger, stream: Stream, toy: ToyEvaluator
) -> None:
    toy.waits_on["a"] = asyncio.Event()
    await stream.append(LANE, await accept(ledger, "a"))
    stop = asyncio.Event()
    lane = Lane(LANE, (toy,), VerdictRules({"toy": 1.0}))
    pace = Pace(wait_seconds=0.05, grace_seconds=0.05)
    running = asyncio.create_task(LaneWorker(lane, ledger, stream, pace, consumer="w").run(stop))
    await toy.asked.wait()

    stop.set()
    await running

    again = await stream.read(LANE, "other", count=1, wait_seconds=1)
    assert [delivery.attempt for delivery in again] == [2]


async def test_an_outage_of_a_model_costs_only_time_and_no_attempts(
    ledger: Ledger, stream: Stream, work: Work, toy: ToyEvaluator
) -> None:
    toy.raises_on["a"] = ModelUnavailable("the server is down")
    keys = await accept(ledger, "a", "b")
    await stream.append(LANE, keys)

    work()
    await until_status(ledger, "done", 1)
    await wait_until_seen(toy, "a", QUICK.max_attempts + 2)
    del toy.raises_on["a"]

    await until_status(ledger, "done", 2)
    await until_empty(stream)
    found = await ledger.evaluated(keys[0].conversation_key)
    assert found is not None
    assert [type(one.result) for one in found.evaluations] == [Findings]
    assert toy.seen.count("b") == 1


async def test_a_model_that_stays_down_is_a_failure_in_the_end(
    ledger: Ledger, stream: Stream, work: Work, toy: ToyEvaluator
) -> None:
    toy.raises_on["a"] = ModelUnavailable("the server is down")
    keys = await accept(ledger, "a")
    await stream.append(LANE, keys)

    work(pace=msgspec.structs.replace(QUICK, retry_for_seconds=0.2))

    await until_status(ledger, "done", 1)
    await until_empty(stream)
    found = await ledger.evaluated(keys[0].conversation_key)
    assert found is not None
    assert found.verdict is not None
    assert found.verdict.final
    (evaluation,) = found.evaluations
    assert isinstance(evaluation.result, Failure)
    assert evaluation.result.kind == "ModelUnavailable"
    assert toy.seen.count("a") > 1


async def test_whoever_takes_over_can_ask_the_stream_since_when_a_conversation_fails(
    ledger: Ledger, stream: Stream, work: Work, toy: ToyEvaluator
) -> None:
    toy.raises_on["a"] = ModelUnavailable("the server is down")
    keys = await accept(ledger, "a", "b")
    await stream.append(LANE, keys)

    work()
    await wait_until_seen(toy, "a", 3)

    a, b = await stream.failing_for(LANE, keys, remember_seconds=900)
    assert a > 0 == b


async def test_a_first_failure_is_forgotten_with_success_and_what_never_failed_asks_nothing(
    ledger: Ledger, stream: Stream, work: Work, toy: ToyEvaluator
) -> None:
    toy.raises_on["a"] = ModelUnavailable("the server is down")
    keys, forgetting = await accept(ledger, "a", "b"), Forgetting(stream)
    await stream.append(LANE, keys)

    work(by=forgetting)
    await wait_until_seen(toy, "a", 2)
    del toy.raises_on["a"]

    await until_status(ledger, "done", 2)
    await wait_until(forgetting.has_forgotten)
    assert forgetting.forgotten == [keys[:1]]
    assert await stream.failing_for(LANE, keys, remember_seconds=900) == [0, 0]


class Forgetting:
    """A stream in front of the real one that tells which first failures were forgotten, call by call."""

    def __init__(self, real: Stream) -> None:
        self._real = real
        self.forgotten: list[Sequence[RevisionKey]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    async def has_forgotten(self) -> bool:
        return bool(self.forgotten)

    async def forget_failing(self, lane: str, keys: Sequence[RevisionKey]) -> None:
        await self._real.forget_failing(lane, keys)
        self.forgotten.append(keys)


async def test_a_stream_that_cannot_tell_since_when_costs_nothing_else(
    ledger: Ledger, stream: Stream, toy: ToyEvaluator
) -> None:
    toy.raises_on["a"] = ModelUnavailable("the server is down")
    await stream.append(LANE, await accept(ledger, "a"))
    pace, stop = msgspec.structs.replace(QUICK, retry_for_seconds=0.2), asyncio.Event()
    lane, forgetful = Lane(LANE, (toy,), VerdictRules({"toy": 1.0})), cast("Stream", Forgetful(stream))

    running = asyncio.create_task(LaneWorker(lane, ledger, forgetful, pace, consumer="w").run(stop))

    await until_status(ledger, "done", 1)
    stop.set()
    await running
    assert toy.seen.count("a") > 1


class Forgetful:
    """A stream in front of the real one that cannot tell since when something fails."""

    def __init__(self, real: Stream) -> None:
        self._real = real

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    async def failing_for(self, lane: str, keys: Sequence[RevisionKey], *, remember_seconds: float) -> list[float]:
        raise BackendError("Redis is full")

    async def forget_failing(self, lane: str, keys: Sequence[RevisionKey]) -> None:
        raise BackendError("Redis is full")


async def test_what_measured_is_not_asked_again_while_another_is_waited_for(
    ledger: Ledger, stream: Stream, toy: ToyEvaluator
) -> None:
    other, stop = ToyEvaluator("other"), asyncio.Event()
    toy.raises_on["a"] = ModelUnavailable("the server is down")
    keys = await accept(ledger, "a")
    await stream.append(LANE, keys)
    lane = Lane(LANE, (other, toy), VerdictRules({"toy": 1.0, "other": 1.0}))

    running = asyncio.create_task(LaneWorker(lane, ledger, stream, QUICK, consumer="w").run(stop))
    await wait_until_seen(toy, "a", 3)
    del toy.raises_on["a"]
    await until_status(ledger, "done", 1)
    stop.set()
    await running

    assert other.seen == ["a"]
    found = await ledger.evaluated(keys[0].conversation_key)
    assert found is not None
    assert {one.evaluator: type(one.result) for one in found.evaluations} == {"toy": Findings, "other": Findings}


@pytest.mark.parametrize("stream", ["memory"], indirect=True)  # Redis would keep what waits
async def test_what_waits_for_a_model_holds_no_stop_and_is_found_again(
    ledger: Ledger, stream: Stream, toy: ToyEvaluator, work: Work
) -> None:
    toy.raises_on["a"] = ModelUnavailable("the server is down")
    keys = await accept(ledger, "a")
    await stream.append(LANE, keys)
    stop = asyncio.Event()
    lane = Lane(LANE, (toy,), VerdictRules({"toy": 1.0}))
    patient = msgspec.structs.replace(QUICK, backoff_seconds=60.0)
    running = asyncio.create_task(LaneWorker(lane, ledger, stream, patient, consumer="w").run(stop))
    await wait_until_seen(toy, "a", 1)

    stop.set()
    await running
    await stream.close()  # with the process, what it held in memory is gone
    del toy.raises_on["a"]
    work()

    assert await sweep_lane(LANE, ledger, stream, accepted_before=datetime.now(UTC)) == 1
    await until_status(ledger, "done", 1)


async def wait_until_seen(toy: ToyEvaluator, name: str, times: int) -> None:
    async def holds() -> bool:
        return toy.seen.count(name) >= times

    await wait_until(holds)


class Faulty:
    """A ledger in front of the real one whose `close_lane` fails as often as it is told."""

    def __init__(self, real: Ledger, failures: int) -> None:
        self._real = real
        self.failures_left = failures

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    async def close_lane(self, lane: str, results: Sequence[LaneResult], decide: Decide) -> list[RevisionKey]:
        if self.failures_left:
            self.failures_left -= 1
            raise BackendError("the disk is full")
        return await self._real.close_lane(lane, results, decide)


async def test_a_ledger_that_fails_for_a_while_costs_only_time(ledger: Ledger, stream: Stream, work: Work) -> None:
    await stream.append(LANE, await accept(ledger, "a", "b"))

    work(Faulty(ledger, failures=2))

    await until_status(ledger, "done", 2)
    await until_empty(stream)


async def test_an_outage_of_the_ledger_fails_nobody_however_long_it_lasts(
    ledger: Ledger, stream: Stream, work: Work
) -> None:
    await stream.append(LANE, await accept(ledger, "a", "b"))

    work(Faulty(ledger, failures=2 * QUICK.max_attempts), Pace(wait_seconds=0.05, backoff_seconds=0.0, max_attempts=3))

    await until_status(ledger, "done", 2)
    await until_empty(stream)


class Down(Faulty):
    """A ledger in front of the real one that answers nothing the worker asks until it is up."""

    def __init__(self, real: Ledger) -> None:
        super().__init__(real, failures=0)
        self.is_up = False

    async def load_outstanding(self, keys: Sequence[RevisionKey], lane: str) -> object:
        if not self.is_up:
            raise BackendError("the server is down")
        return await self._real.load_outstanding(keys, lane)


class Watched:
    """A stream in front of the real one that tells what was held, and what was taken over."""

    def __init__(self, real: Stream) -> None:
        self._real = real
        self.held: Counter[str] = Counter()
        self.claimed: list[Delivery] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    async def hold(self, lane: str, consumer: str, deliveries: Sequence[Delivery]) -> None:
        await self._real.hold(lane, consumer, deliveries)
        self.held.update(one.message_id for one in deliveries)

    async def claim(self, lane: str, consumer: str, *, count: int, idle_seconds: float) -> list[Delivery]:
        claimed = await self._real.claim(lane, consumer, count=count, idle_seconds=idle_seconds)
        self.claimed += claimed
        return claimed


SLOW = msgspec.structs.replace(QUICK, redeliver_after_seconds=1.0, batch=2)


async def until_held(stream: Watched, times: int) -> None:
    async def holds() -> bool:
        return max(stream.held.values(), default=0) >= times

    await wait_until(holds)


async def test_an_outage_of_the_ledger_is_no_attempt_of_anybody_though_others_would_take_over(
    ledger: Ledger, stream: Stream, toy: ToyEvaluator, work: Work
) -> None:
    down, watched = Down(ledger), Watched(stream)
    await stream.append(LANE, await accept(ledger, *"abcdef"))

    for _ in range(3):
        work(cast("Ledger", down), SLOW, watched)
    await until_held(watched, 3 * TIMES)  # so three times as long as it takes until others take over
    down.is_up = True

    await until_status(ledger, "done", 6)
    await until_empty(stream)
    assert (watched.claimed, sorted(toy.seen)) == ([], list("abcdef"))


async def test_what_waits_for_a_slow_model_is_asked_for_once(
    ledger: Ledger, stream: Stream, toy: ToyEvaluator, work: Work
) -> None:
    watched, toy.waits_on = Watched(stream), {"slow": asyncio.Event()}
    await stream.append(LANE, await accept(ledger, "quick", "slow"))

    for _ in range(3):
        work(pace=SLOW, by=watched)
    await until_held(watched, 2 * TIMES)
    toy.waits_on["slow"].set()

    await until_status(ledger, "done", 2)
    await until_empty(stream)
    assert (watched.claimed, toy.seen, len(watched.held)) == ([], ["quick", "slow"], 1)


async def test_what_is_never_answered_is_held_for_a_while_and_then_taken_over(
    ledger: Ledger, stream: Stream, toy: ToyEvaluator, work: Work
) -> None:
    """It may be the connection of one process that is stuck."""
    await stream.append(LANE, await accept(ledger, "a"))
    stuck, stop = ToyEvaluator(), asyncio.Event()
    stuck.waits_on["a"] = asyncio.Event()
    lane, watched = Lane(LANE, (stuck,), VerdictRules({"toy": 1.0})), Watched(stream)
    full = msgspec.structs.replace(QUICK, batch=1)
    running = asyncio.create_task(LaneWorker(lane, ledger, cast("Stream", watched), full, consumer="stuck").run(stop))
    await stuck.asked.wait()

    work()

    await until_status(ledger, "done", 1)
    stuck.waits_on["a"].set()
    stop.set()
    await running
    assert max(watched.held.values()) >= TIMES
    assert toy.seen == ["a"]


async def test_a_stream_that_cannot_hold_for_a_while_costs_one_warning_each_time(
    ledger: Ledger, stream: Stream, toy: ToyEvaluator, work: Work
) -> None:
    failing = FailingToHold(stream, failures=2)
    toy.waits_on["a"] = asyncio.Event()
    await stream.append(LANE, await accept(ledger, "a"))

    with capture_logs() as events:
        work(by=failing)
        await until_held(failing, 1)
    toy.waits_on["a"].set()

    await until_status(ledger, "done", 1)
    assert [event["held"] for event in events if event["event"] == "stream.cannot_hold"] == [1, 1]


class FailingToHold(Watched):
    """A stream in front of the real one that can hold nothing for as often as it is told."""

    def __init__(self, real: Stream, failures: int) -> None:
        super().__init__(real)
        self._failures_left = failures

    async def hold(self, lane: str, consumer: str, deliveries: Sequence[Delivery]) -> None:
        if self._failures_left:
            self._failures_left -= 1
            raise BackendError("Redis is down")
        await super().hold(lane, consumer, deliveries)


class Poisoned:
    """A ledger in front of the real one that crashes on one conversation, as a fault of ours would."""

    def __init__(self, real: Ledger, poison: RevisionKey) -> None:
        self._real = real
        self._poison = poison

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    async def load_outstanding(self, keys: Sequence[RevisionKey], lane: str) -> object:
        if self._poison in keys:
            raise ValueError("a fault of ours")
        return await self._real.load_outstanding(keys, lane)


async def test_what_crashes_too_often_is_marked_failed_alone_and_can_still_be_found(
    ledger: Ledger, stream: Stream, work: Work
) -> None:
    keys = await accept(ledger, "a", "poison", "c")
    await stream.append(LANE, keys)

    work(Poisoned(ledger, keys[1]))

    await until_status(ledger, "done", 2)
    await until_status(ledger, "failed", 1)
    await until_empty(stream)
    page = await ledger.list_heads(PROJECT, ConversationFilter(status=("failed",)))
    assert [head.conversation_id for head in page.items] == ["poison"]


async def test_what_may_be_what_kills_us_is_in_hand_alone(
    ledger: Ledger, stream: Stream, toy: ToyEvaluator, work: Work
) -> None:
    """Otherwise all that a worker held dies with it again and again, until all is given up for the sake of one."""
    names = ["a", "b", "c"]
    await stream.append(LANE, await accept(ledger, *names))
    await stream.read(LANE, "killed", count=3, wait_seconds=1)

    async def another_held_them() -> bool:
        return len(await stream.claim(LANE, "killed-as-well", count=3, idle_seconds=0.01)) == 3

    await wait_until(another_held_them)
    toy.waits_on = {name: asyncio.Event() for name in names}

    work()
    await toy.asked.wait()
    first = list(toy.seen)
    await stream.append(LANE, await accept(ledger, "new"))
    await until_status(ledger, "done", 1)
    until_the_new_one = list(toy.seen)
    for event in toy.waits_on.values():
        event.set()

    await until_status(ledger, "done", 4)
    await until_empty(stream)
    assert len(first) == 1
    assert until_the_new_one == [*first, "new"]


def gauges(name: str) -> dict[str, float]:
    """Read a gauge as it is exposed, by the value of its label."""
    families = [family for family in telemetry.REGISTRY.collect() if family.name == name]
    return {next(iter(one.labels.values())): one.value for family in families for one in family.samples}


async def test_who_sweeps_tells_what_is_in_the_store_and_how_long_it_waits(ledger: Ledger) -> None:
    census = Census(ledger, [LANE, "idle"])
    await accept(ledger, "a", "b")

    await census.take()

    ages = gauges("healing_eval_oldest_pending_seconds")
    assert ages[LANE] > 0
    assert ages["idle"] == 0
    assert gauges("healing_eval_conversations")["pending"] == 2
    census.forget()
    assert gauges("healing_eval_conversations") == gauges("healing_eval_oldest_pending_seconds") == {}


async def test_a_batch_is_one_log_line_that_says_what_became_of_it(ledger: Ledger, stream: Stream, work: Work) -> None:
    keys = await accept(ledger, "a-secret", "b")
    await stream.append(LANE, [*keys, keys[0]])

    with capture_logs() as events:
        work()
        await until_status(ledger, "done", 2)
        await until_empty(stream)

        async def told() -> bool:
            return any(event["event"] == "batch.handled" for event in events)

        await wait_until(told)

    (line,) = [event for event in events if event["event"] == "batch.handled"]
    became = {name: line[name] for name in ("messages", "stored", "skipped", "failed", "postponed", "left")}
    assert became == {"messages": 3, "stored": 2, "skipped": 1, "failed": 0, "postponed": 0, "left": 0}
    assert "secret" not in str(events)


async def test_a_lane_whose_evaluators_are_gone_is_closed_with_nothing(ledger: Ledger, stream: Stream) -> None:
    keys = await accept(ledger, "c1", "c2")
    await stream.append(LANE, keys)
    stop = asyncio.Event()
    deserted = LaneWorker(Lane(LANE, (), VerdictRules({"toy": 1.0})), ledger, stream, QUICK, consumer="worker")
    working = asyncio.create_task(deserted.run(stop))

    await until_status(ledger, "done", 2)
    await until_empty(stream)
    stop.set()
    await working

    found = await ledger.evaluated(keys[0].conversation_key)
    assert found is not None
    assert found.verdict is not None
    assert (found.verdict.outcome, found.verdict.final, found.evaluations) == ("unknown", True, ())
    assert [one.reason for one in found.verdict.missing] == ["did not run"]


async def test_who_waits_for_answers_of_batches_does_not_slow_the_others_down(
    ledger: Ledger, stream: Stream, work: Work, toy: ToyEvaluator
) -> None:
    names = [f"c{number}" for number in range(16)]
    pending = Failure("in a batch", AnswerPending.__name__, retryable=True, retry_after_seconds=0.05)
    toy.gives_on = dict.fromkeys(names, pending)
    keys = await accept(ledger, *names)
    measured = counted_failures()

    with capture_logs() as events:
        await stream.append(LANE, keys)
        work(pace=msgspec.structs.replace(QUICK, batch=16, most_in_hand=64))

        async def each_was_asked_often() -> bool:
            return len(toy.seen) >= 12 * len(names)

        await wait_until(each_was_asked_often)

    at_once = [event["messages"] for event in events if event["event"] == "batch.handled"]
    assert max(at_once[-8:]) > 1  # halved with each round, it would be one at a time by now
    assert "evaluation.failed" not in {event["event"] for event in events}
    assert counted_failures() == measured


def counted_failures() -> float:
    labels = {"evaluator": "toy", "status": "failed"}
    return telemetry.REGISTRY.get_sample_value("healing_eval_evaluations_total", labels) or 0.0
