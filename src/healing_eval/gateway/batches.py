"""Who hands batches in, asks how far they are and fetches the answers? One process at a time.

Everything is written down before and after each step, so that whoever takes over goes on, and two who do the same do no
harm. Only between the provider's taking a batch and our noting its id is there a gap: who dies in it leaves a batch
that is looked for, and handed in again if the provider does not have it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, TypeVar

import msgspec
import structlog

from healing_eval import telemetry
from healing_eval.errors import ModelError, ModelRefused, ModelUnavailable, NotAdmitted, UnreadableVerdict
from healing_eval.gateway.batch_answers import Page
from healing_eval.gateway.prices import Prices
from healing_eval.ports.batch_model import BatchModel, BatchQuestion, BatchState, Sought
from healing_eval.ports.batch_work import Batch, BatchWork, Rest, Waiting
from healing_eval.ports.chat_model import ChatRequest

MOST_BYTES = 64_000_000
"""Of one batch: below what any provider takes, and what this process can hold."""
SETTLED_AT_ONCE = 500
REST_SECONDS = 600.0
"""How long a deployment that takes no batch now is given none; one that tells a time gets at most this."""
TAKEN_OVER_SECONDS = 120.0
"""How long a batch that another process has made is left to it: it may be handing it in."""
STOP_AFTER_SECONDS = 26 * 3600.0
"""Providers take a day at most; a batch that takes longer is cancelled."""
FORGET_AFTER_SECONDS = 28 * 3600.0
"""What has not ended even then is given up, and its questions are asked in the ordinary way."""

GRACE_SECONDS = 8.0
"""How long a batch may still be handed in after the word to stop."""
MOST_OPEN = 10_000
"""Batches that are seen to in one round."""

NOT_FOUND = 404

T = TypeVar("T")

log = structlog.get_logger()

_request = msgspec.json.Decoder(ChatRequest)


class BatchRules(msgspec.Struct, frozen=True):
    """When batches are handed in, and how often."""

    gather_seconds: float
    most_questions: int
    tries: int
    """In how many batches a question may fail."""
    price_share: float
    """What an answer costs, as a share of the ordinary price, where no price for batches is published."""


class BatchSite(msgspec.Struct, frozen=True):
    """A deployment that takes batches."""

    name: str
    pool: str
    model: BatchModel
    prices: Prices
    weight: float = 1.0


class Batches:
    """Sees to the batches of all deployments."""

    def __init__(
        self,
        work: BatchWork,
        sites: Sequence[BatchSite],
        rules: BatchRules,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where questions wait, and who takes them.

        Args:
            work: shared by all processes; closed with this.
            sites: deployments by names that differ; closed with this.
            rules: when batches are handed in.
            clock: one that never goes back, in seconds.
        """
        self._work = work
        self._sites = {site.name: site for site in sites}
        self._rules = rules
        self._clock = clock
        self._rests_until: dict[str, float] = {}
        self._told_to_stop: set[str] = set()
        self._ours: set[str] = set()
        self._known_there: frozenset[str] = frozenset()
        """Ids that batches of this round have with their providers: none of them is one that is looked for."""

    async def round(self) -> None:
        """See to every batch once, and hand in what has waited for long enough.

        Raises:
            BackendError: the store failed; the next round goes on.
        """
        open_ones = await self._work.batches(limit=MOST_OPEN)
        still_open = {one.batch_id for one in open_ones}
        self._told_to_stop &= still_open
        self._ours &= still_open
        self._known_there = frozenset(one.provider_id for one in open_ones if one.provider_id is not None)
        names = dict.fromkeys(one.deployment for one in open_ones)
        await _together(
            [self._see_to_all(name, [one for one in open_ones if one.deployment == name]) for name in names]
        )
        in_hand = dict.fromkeys(self._sites, 0)
        for batch in await self._work.batches(limit=MOST_OPEN):
            in_hand[batch.deployment] = in_hand.get(batch.deployment, 0) + batch.questions
        for waiting in await self._work.waiting():
            await self._gather(waiting, in_hand)
        await self._work.sweep()
        await self._tell(in_hand)

    async def close(self) -> None:
        """Let go of all connections."""
        await asyncio.gather(*(site.model.close() for site in self._sites.values()))
        await self._work.close()

    async def _see_to_all(self, name: str, batches: Sequence[Batch]) -> None:
        """See to the batches of one deployment; once it does not answer, the others wait for the next round."""
        for batch in batches:
            try:
                await self._see_to(self._sites.get(name), batch)
            except ModelError as error:
                self._let_rest(name, error)
                log.warning("batch.postponed", batch=batch.batch_id, deployment=name, error=str(error))
                if batch.age_seconds > FORGET_AFTER_SECONDS:
                    await self._end(batch, "direct", "given up: it took too long")
                elif isinstance(error, (ModelUnavailable, NotAdmitted)):
                    return

    async def _see_to(self, site: BatchSite | None, batch: Batch) -> None:
        if site is None:
            raise NotAdmitted("no deployment of that name takes batches any more")
        if batch.provider_id is None:
            await self._hand_in_again(site, batch)
            return
        state = await self._state_of(site, batch, batch.provider_id)
        if state.ended:
            await self._collect(site, batch, batch.provider_id, state)
        elif batch.age_seconds > FORGET_AFTER_SECONDS:
            await self._end(batch, "direct", "given up: it took too long")
        elif batch.cancelled or batch.age_seconds > STOP_AFTER_SECONDS:
            await self._stop(site, batch, batch.provider_id)

    async def _state_of(self, site: BatchSite, batch: Batch, provider_id: str) -> BatchState:
        try:
            return await site.model.state(provider_id)
        except NotAdmitted as error:
            if error.status == NOT_FOUND:
                return BatchState(ended=True, reason=f"batch {batch.batch_id} is not known there any more")
            raise

    async def _stop(self, site: BatchSite, batch: Batch, provider_id: str) -> None:
        if batch.batch_id not in self._told_to_stop:
            await site.model.cancel(provider_id)
            self._told_to_stop.add(batch.batch_id)
            log.info("batch.stopping", batch=batch.batch_id, deployment=site.name)

    async def _collect(self, site: BatchSite, batch: Batch, provider_id: str, state: BatchState) -> None:
        """Fetch the answers of a batch that has ended; what has none has its way."""
        reason = state.reason
        if state.reason is None:
            try:
                reason = await self._fetch(site, batch, provider_id)
            except (ModelRefused, UnreadableVerdict) as error:
                if isinstance(error, NotAdmitted) and error.status != NOT_FOUND:
                    raise  # a key is put right again, answers that are gone are gone
                reason = str(error)
        if state.too_much:
            self._rests_until[site.name] = self._clock() + REST_SECONDS
        rest: Rest = "direct" if batch.cancelled else "again" if state.too_much else "failed"
        await self._end(batch, rest, reason, failed=state.reason is not None)
        with suppress(ModelError):  # what it keeps it lets go of by itself, if later
            await site.model.discard(provider_id)

    async def _fetch(self, site: BatchSite, batch: Batch, provider_id: str) -> str | None:
        """Note all answers, and give one of the reasons for which there is none."""
        page = Page(site.name, site.model.name, site.prices, self._rules.price_share)
        async with aclosing(site.model.answers(provider_id)) as answers:
            async for one in answers:
                page.put(one)
                if page.size >= SETTLED_AT_ONCE:
                    await self._settle(batch, page)
        await self._settle(batch, page)
        return page.reason

    async def _settle(self, batch: Batch, page: Page) -> None:
        answers, failed = page.take()
        # What a cancelled one did not answer has its own way.
        failed = set[bytes]() if batch.cancelled else failed
        await self._work.settle(batch.batch_id, answers, failed, most_failures=self._rules.tries)

    async def _end(self, batch: Batch, rest: Rest, reason: str | None, *, failed: bool = False) -> None:
        ended = await self._work.end(batch.batch_id, rest, reason, most_failures=self._rules.tries)
        if ended is None:
            return
        answered = ended.answered or 0
        outcome = "cancelled" if batch.cancelled else "failed" if failed else "ended"
        telemetry.MODEL_BATCHES.labels(batch.deployment, outcome).inc()
        telemetry.MODEL_BATCH_QUESTIONS.labels(batch.deployment, "answered").inc(answered)
        telemetry.MODEL_BATCH_QUESTIONS.labels(batch.deployment, "unanswered").inc(ended.questions - answered)
        log.info(
            "batch.ended",
            batch=batch.batch_id,
            deployment=batch.deployment,
            outcome=outcome,
            questions=ended.questions,
            answered=answered,
            reason=reason,
            seconds=round(ended.age_seconds, 1),
        )

    async def _hand_in_again(self, site: BatchSite, batch: Batch) -> None:
        """See to a batch of which it is not known whether it was handed in."""
        if batch.batch_id not in self._ours and batch.age_seconds < TAKEN_OVER_SECONDS:
            return
        trace = await site.model.find(await self._sought(batch))
        if trace.batch_id is not None:
            await self._work.handed_in(batch.batch_id, trace.batch_id)
        elif batch.cancelled or batch.age_seconds > STOP_AFTER_SECONDS:
            await self._end(batch, "direct", "it was never handed in, as far as can be seen")
        elif not (trace.may_turn_up or self._rests(site.name)):
            await self._hand_in(site, batch)

    async def _sought(self, batch: Batch) -> Sought:
        kept = await self._work.questions_of(batch.batch_id)
        names = frozenset(key.hex() for key, _ in kept)
        return Sought(batch.batch_id, names, batch.questions, batch.created_at, self._known_there)

    async def _gather(self, waiting: Waiting, in_hand: dict[str, int]) -> None:
        """Hand in what waits for a pool, as long as it is due."""
        left, rules = waiting.questions, self._rules
        while left >= rules.most_questions or (left > 0 and waiting.oldest_seconds >= rules.gather_seconds):
            site = self._choose(waiting.pool, in_hand)
            if site is None:
                return
            most = min(rules.most_questions, site.model.most_questions)
            size = min(MOST_BYTES, site.model.most_bytes)
            batch = await self._work.bundle(
                waiting.pool, site.name, secrets.token_hex(6), most_questions=most, most_bytes=size
            )
            if batch is None:
                return
            self._ours.add(batch.batch_id)
            left -= batch.questions
            in_hand[site.name] += batch.questions
            try:
                await self._hand_in(site, batch)
            except ModelError as error:
                self._let_rest(site.name, error)
                log.warning("batch.postponed", batch=batch.batch_id, deployment=site.name, error=str(error))

    async def _hand_in(self, site: BatchSite, batch: Batch) -> None:
        kept = await self._work.questions_of(batch.batch_id)
        if not kept:  # everything that was asked in it was deleted
            await self._end(batch, "again", "nothing is left to ask")
            return
        questions = [BatchQuestion(key.hex(), _request.decode(request)) for key, request in kept]
        try:
            await _seen_through(self._submit(site, batch, questions))
        except ModelUnavailable:
            raise  # it may have been taken
        except ModelError as error:
            self._let_rest(site.name, error)
            await self._end(batch, "failed", str(error), failed=True)

    async def _submit(self, site: BatchSite, batch: Batch, questions: Sequence[BatchQuestion]) -> None:
        provider_id = await site.model.submit(batch.batch_id, questions)
        if await self._work.handed_in(batch.batch_id, provider_id):
            telemetry.MODEL_BATCHES.labels(site.name, "handed_in").inc()
            log.info("batch.handed_in", batch=batch.batch_id, deployment=site.name, questions=len(questions))
        else:  # another process was quicker
            with suppress(ModelError):
                await site.model.cancel(provider_id)

    def _choose(self, pool: str, in_hand: Mapping[str, int]) -> BatchSite | None:
        """Choose who is given the next batch: who has the fewest questions in hand, by weight."""
        ready = [one for one in self._sites.values() if one.pool == pool and not self._rests(one.name)]

        def load(one: BatchSite) -> tuple[bool, float]:
            return one.weight == 0, (in_hand[one.name] + 1) / (one.weight or 1.0)

        return min(ready, key=load, default=None)

    def _rests(self, name: str) -> bool:
        return self._rests_until.get(name, 0.0) > self._clock()

    def _let_rest(self, name: str, error: ModelError) -> None:
        """Give a deployment no new batch for a while, if it is not there or takes nothing from us."""
        if isinstance(error, NotAdmitted):
            self._rests_until[name] = self._clock() + REST_SECONDS
        elif isinstance(error, ModelUnavailable):
            wanted = min(error.retry_after_seconds or 1.0, REST_SECONDS)
            self._rests_until[name] = self._clock() + wanted

    async def _tell(self, in_hand: Mapping[str, int]) -> None:
        waiting = {one.pool: one.questions for one in await self._work.waiting()}
        for pool in {site.pool for site in self._sites.values()} | waiting.keys():
            telemetry.MODEL_BATCH_WAITING.labels(pool).set(waiting.get(pool, 0))
        for name, questions in in_hand.items():
            telemetry.MODEL_BATCH_OPEN.labels(name).set(questions)


async def _together(tasks: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do all of them, whatever fails, and then raise what failed first."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _seen_through(work: Coroutine[Any, Any, T]) -> T:
    """Do something that is not to be broken off in the middle: who stops has it for some seconds more."""
    doing = asyncio.create_task(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing}, timeout=GRACE_SECONDS)
        doing.cancel()
        raise
