"""From lane to lane: judges begin where the checks have ended, here if they can, and nothing is lost in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest
from structlog.testing import capture_logs

from healing_eval import plugins, telemetry
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.revision import RevisionKey
from healing_eval.domain.verdict import VerdictRules
from healing_eval.errors import BackendError
from healing_eval.pipeline.close import Handed, Lane
from healing_eval.pipeline.known import Known
from healing_eval.ports.ledger import Found, Ledger
from healing_eval.ports.stream import Delivery, Stream
from healing_eval.testing.builders import a_conversation, a_submission
from healing_eval.testing.contract_ledger import close
from healing_eval.testing.toy import ToyEvaluator
from healing_eval.testing.waiting import wait_until
from healing_eval.worker.loop import LaneWorker
from healing_eval.worker.onward import HandedOver, Onward
from healing_eval.worker.pace import Pace
from healing_eval.worker.sweep import sweep_lane

CHECKS, JUDGES = LANES = ("checks", "judges")
QUICK = Pace(batch=8, wait_seconds=0.05, redeliver_after_seconds=0.2, backoff_seconds=0.02, max_attempts=3)
SEVERAL_AT_ONCE = msgspec.structs.replace(QUICK, most_in_hand=64)
RULES = VerdictRules({"toy": 1.0, "judge": 1.0})
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.services)])
async def stream(request: pytest.FixtureRequest) -> AsyncIterator[Stream]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    opened: Stream = plugins.load_for_url(plugins.STREAM, url).from_url(url)  # type: ignore[attr-defined]
    await opened.open(LANES)
    yield opened
    await opened.close()


class Loads:
    """A ledger that notes which lanes ask it for conversations."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.loaded: list[tuple[str, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def load_outstanding(self, keys: Sequence[RevisionKey], lane: str) -> Any:
        self.loaded.append((lane, len(keys)))
        return await self._ledger.load_outstanding(keys, lane)


class Noting(Known):
    """Keeps a list of what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[str, str, str]] = []

    def note(self, conversation: Conversation, found: Mapping[str, Found]) -> None:
        self.noted += [(name, one.version, one.status) for name, one in found.items()]
        super().note(conversation, found)


class Site:
    """Workers of both lanes, made when they are asked for."""

    def __init__(self, ledger: Ledger, stream: Stream) -> None:
        self.stop = asyncio.Event()
        self.stream = stream
        self.ledger = Loads(ledger)
        self.toy, self.judge = ToyEvaluator(), ToyEvaluator("judge", JUDGES)
        self.known = Noting()
        self.running: list[asyncio.Task[None]] = []

    def judges(self, pace: Pace = SEVERAL_AT_ONCE) -> LaneWorker:
        lane = Lane(JUDGES, (self.judge,), RULES, paid=("judge",), known=self.known)
        return self.start(LaneWorker(lane, cast("Ledger", self.ledger), self.stream, pace, consumer="judges-1"))

    def checks(self, next_one: LaneWorker | None, stream: Stream | None = None) -> LaneWorker:
        lane, onward = Lane(CHECKS, (self.toy,), RULES), Onward(stream or self.stream, {JUDGES: next_one})
        ledger = cast("Ledger", self.ledger)
        return self.start(LaneWorker(lane, ledger, self.stream, QUICK, consumer="checks-1", onward=onward))

    def start(self, worker: LaneWorker) -> LaneWorker:
        self.running.append(asyncio.create_task(worker.run(self.stop)))
        return worker

    async def accept(self, *names: str) -> list[RevisionKey]:
        receipts = await self.ledger.add([a_submission(a_conversation(name)) for name in names], LANES)
        keys = [receipt.revision_key for receipt in receipts]
        await self.stream.append(CHECKS, keys)
        return keys

    async def until(self, status: str, count: int) -> None:
        async def holds() -> bool:
            return (await self.ledger.count_by_status()).get(status, 0) == count

        await wait_until(holds)

    async def until_empty(self) -> None:
        async def holds() -> bool:
            return sum([await self.stream.depth(lane) for lane in LANES]) == 0

        await wait_until(holds)

    def loads_of(self, lane: str) -> int:
        return sum(count for name, count in self.ledger.loaded if name == lane)


@pytest.fixture
async def site(ledger: Ledger, stream: Stream) -> AsyncIterator[Site]:
    made = Site(ledger, stream)
    yield made
    made.stop.set()
    await asyncio.gather(*made.running, return_exceptions=True)


async def test_what_the_checks_are_done_with_is_judged_without_being_loaded_again(site: Site) -> None:
    judges = site.judges()
    await asyncio.sleep(0)  # it is at work before anything comes
    site.checks(judges)

    await site.accept("a", "b", "c")

    await site.until("done", 3)
    await site.until_empty()
    assert sorted(site.judge.seen) == ["a", "b", "c"]
    assert (site.loads_of(CHECKS), site.loads_of(JUDGES)) == (3, 0)


async def test_judges_are_told_what_was_handed_over(site: Site) -> None:
    judges = site.judges()
    await asyncio.sleep(0)
    site.checks(judges)

    await site.accept("a")

    await site.until("done", 1)
    assert site.known.noted == [("toy", "v1", "measured")]


async def test_judges_do_not_begin_before_the_checks_have_ended(site: Site) -> None:
    site.checks(site.judges())
    held = site.toy.waits_on["a"] = asyncio.Event()

    await site.accept("a")
    await site.toy.asked.wait()
    assert await site.stream.depth(JUDGES) == 0
    held.set()

    await site.until("done", 1)
    assert site.judge.seen == ["a"]


async def test_where_judges_work_elsewhere_they_are_rung(site: Site) -> None:
    site.checks(None)
    keys = await site.accept("a", "b")

    await site.until("evaluating", 2)
    rung = await site.stream.read(JUDGES, "elsewhere", count=9, wait_seconds=5)

    assert {one.revision_key for one in rung} == set(keys)


async def test_what_there_is_no_room_for_waits_in_the_stream(site: Site) -> None:
    judges = site.judges(Pace(batch=1, most_in_hand=1, wait_seconds=0.05))
    site.checks(judges)
    held = site.judge.waits_on["a"] = asyncio.Event()

    await site.accept("a", "b", "c")
    await site.until("evaluating", 3)
    await site.judge.asked.wait()
    assert await site.stream.depth(JUDGES) == 3
    site.judge.waits_on.clear()
    held.set()

    await site.until("done", 3)
    await site.until_empty()
    assert sorted(site.judge.seen) == ["a", "b", "c"]


async def test_a_worker_that_was_stopped_takes_nothing_over(site: Site, stream: Stream) -> None:
    judges = site.judges()
    await asyncio.sleep(0)
    site.stop.set()
    await asyncio.gather(*site.running)
    [key] = await site.accept("a")

    await judges.take_over([key], {}, traceparent=TRACEPARENT)

    [left] = await stream.read(JUDGES, "another", count=9, wait_seconds=1)
    assert (left.revision_key, left.attempt, left.traceparent) == (key, 1, TRACEPARENT)


class Slow:
    """A stream whose answer to a hand-over comes only when it is told to."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.answers = asyncio.Event()
        self.asked = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def append_and_read(self, *given: Any, **named: Any) -> list[Delivery]:
        taken = await self._stream.append_and_read(*given, **named)
        self.asked.set()
        await self.answers.wait()
        return taken


async def test_what_was_taken_over_while_being_stopped_is_given_back(site: Site, stream: Stream) -> None:
    slow = Slow(stream)
    site.stream = cast("Stream", slow)
    judges = site.judges()
    await asyncio.sleep(0)
    [key] = await site.accept("a")
    taking = asyncio.create_task(judges.take_over([key], {}, traceparent=None))
    await slow.asked.wait()
    site.stop.set()
    await asyncio.gather(*site.running)
    slow.answers.set()
    await taking

    [left] = await stream.read(JUDGES, "another", count=9, wait_seconds=1)
    assert (left.revision_key, left.attempt) == (key, 1)
    assert site.judge.seen == []


async def test_after_a_crash_between_storing_and_ringing_it_is_rung_when_the_message_comes_again(
    site: Site, stream: Stream, ledger: Ledger
) -> None:
    keys = await site.accept("a")
    await stream.read(CHECKS, "it dies", count=9, wait_seconds=5)
    await close(ledger, CHECKS, keys[0])

    site.checks(site.judges())

    await site.until("done", 1)
    await site.until_empty()
    assert (site.toy.seen, site.judge.seen) == ([], ["a"])


async def test_what_the_checks_gave_up_is_judged_all_the_same(site: Site, stream: Stream) -> None:
    [key] = await site.accept("a")
    for number in range(QUICK.max_attempts):
        for one in await stream.read(CHECKS, f"dies-{number}", count=9, wait_seconds=5):
            await stream.release(CHECKS, [one], delay_seconds=0)

    site.checks(site.judges())

    await site.until("failed", 1)
    await site.until_empty()
    assert (site.toy.seen, site.judge.seen) == ([], ["a"])
    assert [one.revision_key for one in (await stream.list_dead(CHECKS, limit=9)).items] == [key]


async def test_what_is_checked_once_more_is_not_judged_once_more(site: Site, ledger: Ledger, stream: Stream) -> None:
    site.checks(site.judges())
    [key] = await site.accept("a")
    await site.until("done", 1)

    await ledger.open_again([key], CHECKS)
    await stream.append(CHECKS, [key])

    await site.until("done", 1)
    await site.until_empty()
    assert (site.toy.seen, site.judge.seen) == (["a", "a"], ["a"])


def unrung() -> float:
    name = "healing_eval_unrung_conversations_total"
    return telemetry.REGISTRY.get_sample_value(name, {"lane": JUDGES}) or 0.0


class Deaf:
    """A stream that takes nothing."""

    async def append(self, lane: str, keys: Sequence[RevisionKey], *, traceparent: str | None = None) -> None:
        raise BackendError("out of memory")


async def test_what_cannot_be_rung_now_is_found_by_the_sweeper(site: Site, ledger: Ledger, stream: Stream) -> None:
    site.judges()
    before = unrung()
    with capture_logs() as logs:
        site.checks(None, cast("Stream", Deaf()))
        await site.accept("a", "b")
        await site.until("evaluating", 2)
        await site.until_empty()

    assert unrung() == before + 2
    assert "out of memory" in str([one for one in logs if one["event"] == "stream.unwritable"])
    assert await sweep_lane(JUDGES, ledger, stream, accepted_before=datetime.now(UTC), after=(CHECKS,)) == 2
    await site.until("done", 2)


async def test_the_sweeper_rings_no_lane_for_what_another_has_to_do_first(site: Site, stream: Stream) -> None:
    keys = await site.accept("a", "b", "c")
    ledger = cast("Ledger", site.ledger)

    async def swept() -> int:
        return await sweep_lane(JUDGES, ledger, stream, accepted_before=datetime.now(UTC), after=(CHECKS,))

    assert await swept() == 0
    await close(ledger, CHECKS, keys[0])
    assert await swept() == 0  # its message is not acknowledged, so that it is just being rung for
    await stream.ack(CHECKS, await stream.read(CHECKS, "w", count=1, wait_seconds=5))
    assert await swept() == 1
    [rung] = await stream.read(JUDGES, "w", count=9, wait_seconds=5)
    assert rung.revision_key == keys[0]


async def test_a_conversation_goes_on_in_the_trace_it_came_with() -> None:
    rung: list[tuple[str, list[RevisionKey], str | None]] = []

    class Next:
        async def take_over(self, keys: Sequence[RevisionKey], handed: HandedOver, *, traceparent: str | None) -> None:
            rung.append(
                (",".join(one.conversation.conversation_id for one in handed.values()), list(keys), traceparent)
            )

    keys = [RevisionKey(bytes([number]) * 16, 1) for number in range(3)]
    done = [Delivery(str(number), key, 1, TRACEPARENT if number else None) for number, key in enumerate(keys)]

    await Onward(cast("Stream", Deaf()), {JUDGES: Next()}).ring(
        done, {keys[0]: Handed(keys[0], a_conversation("a"), ())}
    )

    assert rung == [("a", keys[:1], None), ("a", keys[1:], TRACEPARENT)]
