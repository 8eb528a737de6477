"""How does a batch of work become verdicts in the ledger?"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from contextlib import aclosing

import msgspec
import structlog

from healing_eval import telemetry
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Verdict
from healing_eval.domain.revision import RevisionKey, StoredRevision
from healing_eval.domain.verdict import Opinion, VerdictRules, weigh_opinions
from healing_eval.errors import InvalidInput
from healing_eval.formats.item import read_conversation
from healing_eval.pipeline.evaluate import evaluate_in_groups
from healing_eval.pipeline.known import Known, as_found
from healing_eval.pipeline.retries import Retries, only_waits
from healing_eval.pipeline.spans import together
from healing_eval.ports.evaluator import Evaluator
from healing_eval.ports.ledger import LaneResult, Ledger
from healing_eval.ports.tracer import Tracer

log = structlog.get_logger()

MOMENT_SECONDS = 0.1
"""How long results wait for those of others after a transaction that several batches shared. Nobody waits for an answer
to them, and where models judge they come a few at a time."""


class Lane(msgspec.Struct, frozen=True):
    """A lane's name, its evaluators, the rules by which all evaluators are weighed, and who makes spans, if any."""

    name: str
    evaluators: tuple[Evaluator, ...]
    rules: VerdictRules
    tracer: Tracer | None = None
    paid: tuple[str, ...] = ()
    """Those of the evaluators that ask a model."""
    known: Known | None = None
    """Where what other lanes have found out is noted; None if nobody here is told of it."""


class Handed(msgspec.Struct, frozen=True):
    """A revision that one lane is done with and the next can go on with."""

    revision_key: RevisionKey
    conversation: Conversation
    evaluations: tuple[Evaluation, ...]
    """Of the lane's evaluators."""


class Step(msgspec.Struct, frozen=True):
    """Revisions that need nothing more for now."""

    settled: Sequence[RevisionKey] = ()
    """No further work on this lane: stored now, stored before, or out of date."""
    postponed: Sequence[RevisionKey] = ()
    """To be tried again: an evaluator failed in a way that may pass. The lane stays open."""
    pending: int = 0
    """How many of the postponed only wait for an answer that is on its way."""
    stored: int = 0
    """How many of the settled had their results stored now."""
    failed: int = 0
    """How many of the settled were given up now."""
    handed: Sequence[Handed] = ()
    """Those of the settled that were stored now, and that no lane had finished before."""
    asked: Sequence[float] = ()
    """How long it took, in seconds, for each of the settled that an evaluator was asked about now."""


_Read = tuple[RevisionKey, Conversation]
_Kept = Mapping[RevisionKey, Sequence[Evaluation]]


class Closer:
    """Evaluates revisions on one lane and stores the results; those that are ready together share a transaction."""

    def __init__(self, lane: Lane, ledger: Ledger, retries: Retries, slice_seconds: float) -> None:
        """Take the lane, the ledger that holds the revisions, and who decides what is tried again.

        `retries` keeps what need not be measured again, and is to be told what is settled. Evaluators that wait for
        nothing keep the event loop for `slice_seconds` at a time.
        """
        self._slice_seconds = slice_seconds
        self._lane = lane
        self._ledger = ledger
        self._retries = retries
        self._stores = together(self._store, lane.tracer, "results", moment_seconds=MOMENT_SECONDS)

    async def close(
        self, keys: Sequence[RevisionKey], handed: Mapping[RevisionKey, Handed] | None = None
    ) -> AsyncGenerator[Step, None]:
        """Store what is ready while the rest is still running.

        What was `handed` over by a lane that has just stored it need not be loaded.

        Raises:
            BackendError: the ledger failed; whatever was not yielded has to be tried again.
        """
        lane, here = self._lane, handed or {}
        asked = [key for key in keys if key not in here]
        outstanding = await self._ledger.load_outstanding(asked, lane.name) if asked else []
        waiting = {one.revision_key for one in outstanding}
        settled = [key for key in asked if key not in waiting]
        if settled:
            yield Step(settled)
        if not lane.evaluators:  # nobody has anything to say here any more
            yield await self._stored([LaneResult(key, ()) for key in (*waiting, *here)], {})
            return
        read, unreadable = _read_all(outstanding)
        if unreadable:
            await self._ledger.fail(unreadable, lane.name, "the stored body cannot be read")
            yield Step(unreadable, failed=len(unreadable))
        kept: _Kept = await self._recall(outstanding, read) if outstanding else {}
        fresh = {one.revision_key for one in outstanding if one.untouched}
        batch = [*read, *map(self._taken_over, here.values())]
        for evaluators, some in _by_what_is_missing(lane, batch, kept):
            async with aclosing(self._evaluate(evaluators, some, kept, fresh)) as steps:
                async for step in steps:
                    yield step

    def _taken_over(self, handed: Handed) -> _Read:
        if self._lane.known is not None:
            self._lane.known.note(handed.conversation, {one.evaluator: as_found(one) for one in handed.evaluations})
        return handed.revision_key, handed.conversation

    async def _evaluate(
        self, evaluators: Sequence[Evaluator], some: Sequence[_Read], kept: _Kept, fresh: Set[RevisionKey]
    ) -> AsyncGenerator[Step, None]:
        """Evaluate what waits for the same evaluators, and store it or have it tried again."""
        to_hand_on = {key: conversation for key, conversation in some if key in fresh}
        if not evaluators:
            yield await self._stored([_joined(self._lane, key, (), kept) for key, _ in some], to_hand_on)
            return
        conversations = [conversation for _, conversation in some]
        started = time.perf_counter()
        async with aclosing(evaluate_in_groups(conversations, evaluators, self._slice_seconds)) as groups:
            async for group in groups:
                seconds = time.perf_counter() - started
                results = [_joined(self._lane, some[index][0], found, kept) for index, found in group]
                await self._retries.recall(results)
                final, postponed = _sorted_out(results, self._retries)
                if postponed:
                    again = set(postponed)
                    pending = sum(one.revision_key in again and only_waits(one.evaluations) for one in results)
                    yield Step(postponed=postponed, pending=pending)
                if final:
                    step = await self._stored(final, to_hand_on)
                    yield msgspec.structs.replace(step, asked=_asking_seconds(final, seconds))

    async def _recall(self, outstanding: Sequence[StoredRevision], read: Sequence[_Read]) -> _Kept:
        """Read what need not be found out again: give what is this lane's own, and note what its judges are told.

        Of its own evaluators only where several ask a model: one alone was opened again since it had not measured.
        """
        lane = self._lane
        own = lane.paid if len(lane.paid) > 1 else ()
        told = lane.known.asked_for if lane.known is not None else ()
        found = await self._ledger.found(outstanding, (*own, *told)) if own or told else {}
        if lane.known is not None:
            for key, conversation in read:
                lane.known.note(conversation, found.get(key, {}))
        paid_for = [one for one in outstanding if not found.get(one.revision_key, {}).keys().isdisjoint(own)]
        measured = await self._ledger.measured(paid_for, own) if paid_for else {}
        return {key: (*measured.get(key, ()), *self._retries.kept(key)) for key, _ in read}

    async def end(self) -> None:
        """Break off a transaction that those who waited for it have given up."""
        await self._stores.close()

    async def _stored(self, results: Sequence[LaneResult], to_hand_on: Mapping[RevisionKey, Conversation]) -> Step:
        stored = await self._stores.write(results)
        handed = [
            Handed(one.revision_key, to_hand_on[one.revision_key], one.evaluations)
            for one, is_new in zip(results, stored, strict=True)
            if is_new and one.revision_key in to_hand_on
        ]
        return Step([one.revision_key for one in results], stored=sum(stored), handed=handed)

    async def _store(self, results: Sequence[LaneResult]) -> list[bool]:
        """Store results in one transaction, and tell of each whether it was stored now."""
        outcomes: list[str] = []

        def decide(opinions: Sequence[Opinion], final: bool) -> Verdict:
            verdict = weigh_opinions(opinions, self._lane.rules, final=final)
            if final:
                outcomes.append(verdict.outcome)
            return verdict

        stored = set(await self._ledger.close_lane(self._lane.name, results, decide))
        for outcome in outcomes:
            telemetry.VERDICTS.labels(outcome).inc()
        said: list[bool] = []
        for one in results:  # one conversation may have come twice
            said.append(one.revision_key in stored)
            stored.discard(one.revision_key)
        return said


def _asking_seconds(results: Sequence[LaneResult], at_most: float) -> list[float]:
    """Tell how long asking took: as the slowest evaluator says, or as long as it took in all if it does not say.

    What abstained or is remembered was not asked.
    """
    asked: list[float] = []
    for result in results:
        seconds = [
            one.latency_seconds or at_most
            for one in result.evaluations
            if (one.model_use is None or one.model_use.calls) and not isinstance(one.result, Abstention)
        ]
        if seconds:
            asked.append(max(seconds))
    return asked


def _sorted_out(results: Sequence[LaneResult], retries: Retries) -> tuple[list[LaneResult], list[RevisionKey]]:
    """Tell what is to be stored from what is to be tried again."""
    final: list[LaneResult] = []
    postponed: list[RevisionKey] = []
    for one in results:
        if retries.postpone(one.revision_key, one.evaluations):
            postponed.append(one.revision_key)
        else:
            final.append(one)
    return final, postponed


def _by_what_is_missing(
    lane: Lane, read: Sequence[_Read], kept: _Kept
) -> list[tuple[tuple[Evaluator, ...], list[_Read]]]:
    """Put together what waits for the same evaluators; nearly always that is all of them."""
    groups: dict[tuple[str, ...], list[_Read]] = {}
    for one in read:
        known = {evaluation.evaluator for evaluation in kept.get(one[0], ())}
        groups.setdefault(tuple(e.name for e in lane.evaluators if e.name not in known), []).append(one)
    return [(tuple(e for e in lane.evaluators if e.name in names), some) for names, some in groups.items()]


def _joined(lane: Lane, key: RevisionKey, evaluations: Sequence[Evaluation], kept: _Kept) -> LaneResult:
    """Add what was kept, in the order of the lane's evaluators."""
    found = {one.evaluator: one for one in (*kept.get(key, ()), *evaluations)}
    return LaneResult(key, tuple(found[evaluator.name] for evaluator in lane.evaluators))


def _read_all(outstanding: Sequence[StoredRevision]) -> tuple[list[_Read], list[RevisionKey]]:
    """Read stored bodies again, and name those that cannot be."""
    every = [(one.revision_key, _read(one)) for one in outstanding]
    unreadable = [key for key, conversation in every if conversation is None]
    return [(key, conversation) for key, conversation in every if conversation is not None], unreadable


def _read(stored: StoredRevision) -> Conversation | None:
    """Read a stored body again."""
    try:
        return read_conversation(stored.body, project=stored.project)
    except InvalidInput as error:
        log.error("revision.unreadable", pointer=error.pointer)
        return None
