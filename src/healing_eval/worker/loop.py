"""How does work get from the stream to the stage, and nothing get lost?

A message is acknowledged only after its results are committed. What is in hand is held, and what a dead consumer held
is claimed. While the ledger fails, a batch waits in hand; while a model fails, its conversations wait in the stream and
hold nobody else; what crashes us too often is marked failed in the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing, suppress
from contextvars import copy_context
from functools import partial
from statistics import median

import structlog

from healing_eval import telemetry
from healing_eval.domain.revision import RevisionKey
from healing_eval.errors import BackendError
from healing_eval.pipeline.batch_spans import note_done, traced_batch
from healing_eval.pipeline.close import Closer, Lane, Step
from healing_eval.pipeline.retries import Retries
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.stream import Delivery, Stream
from healing_eval.worker.allowance import Allowance
from healing_eval.worker.batch import Batch, Tally
from healing_eval.worker.holding import hold
from healing_eval.worker.onward import HandedOver, Onward
from healing_eval.worker.pace import Pace

log = structlog.get_logger()

SUSPECT_FROM = 3
"""From this attempt on a conversation may be what kills us, and is in hand only while no other of that kind is. What
was merely in the same hands as one that kills dies with it once or twice, and then goes through."""
SUSPECTS_AGAIN_SECONDS = 0.2
"""When those that had to wait for it are looked at again."""
HELD_TIMES = 5
"""A batch that gets nowhere for so many times the redelivery time is held no longer: what an evaluator never answers
here, it may answer elsewhere."""


class LaneWorker:
    """Takes batches from one lane and has them evaluated, until it is told to stop."""

    def __init__(
        self,
        lane: Lane,
        ledger: Ledger,
        stream: Stream,
        pace: Pace,
        *,
        consumer: str,
        onward: Onward | None = None,
    ) -> None:
        self._lane = lane
        self._onward = onward
        self._ledger = ledger
        self._stream = stream
        self._pace = pace
        self._consumer = consumer
        batch, most = pace.batch, pace.most_in_hand
        self._allowance = Allowance(batch, first=batch) if most is None else Allowance(most)
        self._retries = Retries(pace.retry_for_seconds, self._failing_for, first_pause_seconds=pace.backoff_seconds)
        self._closer = Closer(lane, ledger, self._retries, pace.slice_seconds)
        self._in_flight: dict[asyncio.Task[None], Batch] = {}
        self._freed = asyncio.Event()
        self._reading = 0
        """Most messages that a read which is under way may bring."""
        self._taking = False
        self._outside = copy_context()
        """What is begun for other batches is no part of the one in hand."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish what is in hand within the grace period and give back the rest."""
        async with asyncio.TaskGroup() as group:
            holding = group.create_task(self._hold())
            self._taking = True
            await self._take_and_work(stop)
            self._taking = False
            await self._drain()
            holding.cancel()

    async def _hold(self) -> None:
        pace = self._pace
        await hold(
            self._stream,
            self._lane.name,
            self._consumer,
            self._deliveries_to_hold,
            redeliver_after_seconds=pace.redeliver_after_seconds,
            again_seconds=pace.backoff_seconds,
        )

    async def _take_and_work(self, stop: asyncio.Event) -> None:
        while room := await self._room_before(stop):
            self._reading = min(room, self._pace.batch)
            taken = await self._take(self._reading)
            self._reading = 0
            await self._begin_all(taken, {})

    async def _begin_all(self, taken: Sequence[Delivery], handed: HandedOver) -> None:
        for deliveries in _in_batches(await self._one_suspect_of(await self._without_those_in_hand(taken))):
            batch = Batch({delivery.revision_key: delivery for delivery in deliveries}, handed)
            task = asyncio.create_task(self._begin(deliveries, batch), context=self._outside.copy())
            self._in_flight[task] = batch
            task.add_done_callback(self._finished)

    async def take_over(self, keys: Sequence[RevisionKey], handed: HandedOver, *, traceparent: str | None) -> None:
        """Ring for what another lane is done with, and begin with as much as there is room for.

        What has waited for longer comes first, so what is begun need not be what is handed over.
        """
        room = self._allowance.now - self._in_hand() - self._reading if self._taking else 0
        if room <= 0:
            await self._stream.append(self._lane.name, keys, traceparent=traceparent)
            return
        taken = await self._stream.append_and_read(
            self._lane.name, keys, self._consumer, count=room, traceparent=traceparent
        )
        if self._taking:
            await self._begin_all(taken, handed)
            return
        with suppress(BackendError):  # it was stopped meanwhile; then they are claimed once they have been idle
            await self._stream.release(self._lane.name, taken, delay_seconds=0.0, tried=False)

    async def _room_before(self, stop: asyncio.Event) -> int:
        """Wait until there is room for many more, and tell for how many; 0 as soon as `stop` is set.

        Half of what is allowed, or a whole batch, is many: waiting makes batches large, and to wait for all of it would
        let one that hangs hold up everybody.
        """
        while not stop.is_set():
            allowed = self._allowance.now
            room = allowed - self._in_hand()
            if room > 0 and 2 * room >= min(allowed, 2 * self._pace.batch):
                return room
            self._freed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.wait_seconds):
                    await self._freed.wait()
        return 0

    def _in_hand(self) -> int:
        return sum(len(batch.open_ones) for batch in self._in_flight.values())

    def _deliveries_in_hand(self, *, got_on_since: float = 0.0) -> Iterator[Delivery]:
        batches = (batch for batch in self._in_flight.values() if batch.got_on_at >= got_on_since)
        return (delivery for batch in batches for delivery in batch.open_ones.values())

    def _deliveries_to_hold(self) -> Iterator[Delivery]:
        longest = HELD_TIMES * self._pace.redeliver_after_seconds
        return self._deliveries_in_hand(got_on_since=time.monotonic() - longest)

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._in_flight[task]
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # A fault of ours. The messages stay unacknowledged and are handed out again, up to max_attempts.
            log.error("lane.crashed", lane=self._lane.name, kind=type(error).__name__)

    async def _drain(self) -> None:
        if self._in_flight:
            _, late = await asyncio.wait(self._in_flight, timeout=self._pace.grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._closer.end()

    async def _take(self, count: int) -> list[Delivery]:
        """Claim what others left, else read what is new; [] after a while without work or with the stream down."""
        pace = self._pace
        try:
            claimed = await self._stream.claim(
                self._lane.name, self._consumer, count=count, idle_seconds=pace.redeliver_after_seconds
            )
            return claimed or await self._stream.read(
                self._lane.name, self._consumer, count=count, wait_seconds=pace.wait_seconds
            )
        except BackendError as error:
            log.warning("stream.unreadable", lane=self._lane.name, error=str(error))
            await asyncio.sleep(pace.backoff_seconds)
            return []

    async def _without_those_in_hand(self, taken: Sequence[Delivery]) -> Sequence[Delivery]:
        """Leave out what is being evaluated now: asking twice would cost twice.

        Another message about it is done with, since the one in hand stands for it; that one itself, handed out again
        because it takes long, stays as it is.
        """
        in_hand = {one.revision_key: one for one in self._deliveries_in_hand()}
        again = [one for one in taken if one.revision_key in in_hand]
        if not again:
            return taken
        await self._ack([one for one in again if one.message_id != in_hand[one.revision_key].message_id])
        return [one for one in taken if one.revision_key not in in_hand]

    async def _one_suspect_of(self, taken: Sequence[Delivery]) -> Sequence[Delivery]:
        """Give back untried whatever may be what kills us, but one, and that one as well while another is in hand.

        Otherwise all that are claimed together die together until all are given up, the innocent with the guilty.
        """
        suspects = [one for one in taken if self._is_suspect(one)]
        if not suspects:
            return taken
        busy = any(map(self._is_suspect, self._deliveries_in_hand()))
        waiting = suspects if busy else suspects[1:]
        if not waiting:
            return taken
        with suppress(BackendError):  # then they are claimed once they have been idle for long enough
            await self._stream.release(self._lane.name, waiting, delay_seconds=SUSPECTS_AGAIN_SECONDS, tried=False)
        return [one for one in taken if one not in waiting]

    def _is_suspect(self, delivery: Delivery) -> bool:
        most = self._pace.max_attempts
        return 1 < delivery.attempt <= most and delivery.attempt >= min(SUSPECT_FROM, most)

    async def _begin(self, deliveries: Sequence[Delivery], batch: Batch) -> None:
        if self._lane.tracer is None:
            await self._work(deliveries, batch)
        else:
            work = partial(self._work, deliveries, batch)
            await traced_batch(self._lane.tracer, self._lane.name, deliveries, work)

    async def _work(self, deliveries: Sequence[Delivery], batch: Batch) -> None:
        """See a batch through; afterwards one log line says what became of it."""
        started, open_ones = time.perf_counter(), batch.open_ones
        same = [delivery for delivery in deliveries if open_ones[delivery.revision_key] is not delivery]
        tally = Tally(skipped=len(same))
        try:
            await self._ack(same)
            tried_too_often = [key for key, one in open_ones.items() if one.attempt > self._pace.max_attempts]
            await self._give_up(tried_too_often, open_ones)
            tally.failed = len(tried_too_often)
            await self._close(batch, tally)
        except asyncio.CancelledError:
            await self._give_back(open_ones, delay_seconds=0.0)
            raise
        except BackendError as error:
            log.warning("lane.interrupted", lane=self._lane.name, left=len(open_ones), error=str(error))
            await self._give_back(open_ones, delay_seconds=self._backoff(1))
        finally:
            self._report(len(deliveries), tally, time.perf_counter() - started)

    def _report(self, messages: int, tally: Tally, seconds: float) -> None:
        lane = self._lane.name
        telemetry.BATCH_MESSAGES.labels(lane).observe(messages)
        became = tally.became()
        left = messages - sum(became.values())
        log.info("batch.handled", lane=lane, messages=messages, **became, left=left, seconds=round(seconds, 6))

    async def _close(self, batch: Batch, tally: Tally) -> None:
        """Have a batch evaluated and stored, waiting for as long as the ledger fails.

        An outage is no failed attempt of a conversation, so the batch stays in hand; and since `close` asks the ledger
        first of all, no model is paid meanwhile.
        """
        failures, open_ones = 0, batch.open_ones
        while open_ones:
            try:
                async with aclosing(self._closer.close(list(open_ones), batch.take_handed())) as steps:
                    async for step in steps:
                        batch.got_on()
                        tally.add(step)
                        self._adjust(step)
                        await self._go_on(step, open_ones)
                        await self._settle(step.settled, open_ones)
                        await self._postpone(step.postponed, open_ones)
                return
            except BackendError as error:
                failures += 1
                batch.got_on()
                log.warning("lane.interrupted", lane=self._lane.name, left=len(open_ones), error=str(error))
                await asyncio.sleep(self._backoff(failures))

    def _adjust(self, step: Step) -> None:
        """Take more at once while all goes well, and less when a model fails."""
        failed = len(step.postponed) - step.pending
        if failed:
            self._allowance.failed(failed)
        if step.asked:
            self._allowance.answered(len(step.asked), median(step.asked), in_hand=self._in_hand())

    async def _go_on(self, step: Step, open_ones: dict[RevisionKey, Delivery]) -> None:
        """Ring the lanes that come next, before anything is acknowledged, so that a crash in between loses nothing.

        Not for what was opened again on this lane alone; of what has been tried before nobody knows whether it was
        rung for.
        """
        handed = {one.revision_key: one for one in step.handed}
        settled = [open_ones[key] for key in step.settled if key in open_ones]
        done = [one for one in settled if one.revision_key in handed or one.attempt > 1 or step.failed]
        await self._ring(done, handed)

    async def _ring(self, done: Sequence[Delivery], handed: HandedOver) -> None:
        if done and self._onward is not None:
            await asyncio.create_task(self._onward.ring(done, handed), context=self._outside.copy())

    async def _settle(self, keys: Sequence[RevisionKey], open_ones: dict[RevisionKey, Delivery]) -> None:
        failed = self._retries.forget(keys)
        note_done(keys)
        await self._ack([open_ones.pop(key) for key in keys if key in open_ones])
        self._freed.set()
        await self._forget_failing(failed)

    async def _ack(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge; where that fails the messages come again, and the ledger says that nothing is left to do."""
        try:
            await self._stream.ack(self._lane.name, deliveries)
        except BackendError as error:
            log.warning("stream.unacknowledged", lane=self._lane.name, left=len(deliveries), error=str(error))

    async def _failing_for(self, keys: Sequence[RevisionKey], remember_seconds: float) -> Sequence[float]:
        """Ask the stream for how long these have failed; when it cannot tell, that is counted from now on."""
        try:
            return await self._stream.failing_for(self._lane.name, keys, remember_seconds=remember_seconds)
        except BackendError as error:
            log.warning("stream.forgetful", lane=self._lane.name, error=str(error))
            return [0.0] * len(keys)

    async def _forget_failing(self, keys: Sequence[RevisionKey]) -> None:
        if keys:  # few ever fail, and nobody else pays for that
            with suppress(BackendError):  # then they are forgotten in their time
                await self._stream.forget_failing(self._lane.name, keys)

    async def _postpone(self, keys: Sequence[RevisionKey], open_ones: dict[RevisionKey, Delivery]) -> None:
        """Give back what a model could not be asked about; that is no failed attempt of the conversation."""
        for key in keys:
            delivery, pause = open_ones.pop(key), self._retries.pause(key)
            with suppress(BackendError):  # then it is claimed once it has been idle for long enough
                await self._stream.release(self._lane.name, [delivery], delay_seconds=pause, tried=False)
        note_done(keys)
        self._freed.set()

    async def _give_up(self, keys: Sequence[RevisionKey], open_ones: dict[RevisionKey, Delivery]) -> None:
        """Mark as failed what was tried too often, and set its messages aside for somebody to look at."""
        if not keys:
            return
        reason = f"tried {self._pace.max_attempts} times without success"
        await self._ledger.fail(keys, self._lane.name, reason)
        failed = self._retries.forget(keys)
        await self._ring([open_ones[key] for key in keys], {})
        with suppress(BackendError):  # then they come again, and are given up again
            await self._stream.bury(self._lane.name, [open_ones[key] for key in keys], reason)
        note_done(keys)
        for key in keys:
            del open_ones[key]
        self._freed.set()
        await self._forget_failing(failed)

    async def _give_back(self, open_ones: dict[RevisionKey, Delivery], *, delay_seconds: float) -> None:
        with suppress(BackendError):  # then they are claimed once they have been idle for long enough
            await self._stream.release(self._lane.name, list(open_ones.values()), delay_seconds=delay_seconds)

    def _backoff(self, failures: int) -> float:
        return min(60.0, self._pace.backoff_seconds * 2 ** min(failures - 1, 10))


def _in_batches(deliveries: Sequence[Delivery]) -> list[list[Delivery]]:
    """Put what is tried for the first time into one batch, and the rest each into its own.

    What crashed a batch then crashes alone, and the others of that batch are not given up with it.
    """
    new = [delivery for delivery in deliveries if delivery.attempt == 1]
    again = [[delivery] for delivery in deliveries if delivery.attempt > 1]
    return [new, *again] if new else again
