"""In which order is a request of conversations taken?

Read each item by itself; store the good ones in one transaction, which requests that arrive together share; ring the
lanes on which they begin; answer one entry for each item. What is answered as taken is committed: the store is the
truth, and a bell that cannot be rung now is rung by the sweeper.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec
import structlog
from prometheus_client import Counter

from healing_eval import telemetry
from healing_eval.domain.conversation import key_to_text
from healing_eval.domain.revision import Receipt, RevisionKey, Status, Submission
from healing_eval.errors import BackendError
from healing_eval.formats.body import Rejection, read_body
from healing_eval.formats.limits import WireLimits
from healing_eval.pipeline.spans import together
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.stream import Stream
from healing_eval.ports.tracer import Tracer

log = structlog.get_logger()

READ_ASIDE_BYTES = 1024 * 1024
"""Bodies above this are read in a thread, so that one big request does not hold up everybody's small ones."""

ItemStatus = Literal["accepted", "revised", "duplicate", "rejected"]
_COUNTERS: dict[ItemStatus, Counter] = {status: telemetry.INGESTED.labels(status) for status in get_args(ItemStatus)}


class ItemAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one item of the request."""

    index: int
    """Its place in the request, from 0."""
    status: ItemStatus
    """accepted: new. revised: known, with changed content. duplicate: known, with the same content. rejected: see
    `pointer` and `reason`; nothing of it is stored."""
    conversation_id: str | None = None
    """None when the item was rejected before its id could be read."""
    key: str | None = None
    """26 characters that name the conversation in a path, as its id does."""
    revision: int | None = None
    """1 for the first state of a conversation."""
    conversation_status: Status | None = None
    """unevaluable: stored, but without an assistant turn there is nothing to evaluate."""
    notes: tuple[str, ...] = ()
    """What was repaired in the bytes, and what of the feedback was left out and why."""
    pointer: str | None = None
    """JSON Pointer to what was wrong, from the item's own root."""
    reason: str | None = None
    """What was wrong and what was expected."""


class IngestAnswer(msgspec.Struct, frozen=True):
    """One entry for each item, in the order of the request."""

    items: tuple[ItemAnswer, ...]


class Ingested(msgspec.Struct, frozen=True):
    """What became of a request."""

    answer: IngestAnswer
    counts: dict[ItemStatus, int]
    """How many items have each status, those that none has included."""

    @property
    def stored(self) -> int:
        """How many items are stored, now or since before."""
        return len(self.answer.items) - self.counts["rejected"]


class Ingest:
    """Takes the bytes of a request."""

    def __init__(
        self,
        ledger: Ledger,
        stream: Stream,
        lanes: Sequence[str],
        first_lanes: Sequence[str],
        limits: WireLimits,
        *,
        tracer: Tracer | None = None,
    ) -> None:
        """Take where conversations are kept, the lanes they travel on, and those of them that are rung at once."""

        async def add(submissions: Sequence[Submission]) -> Sequence[Receipt]:
            return await ledger.add(submissions, lanes)

        self._adds = together(add, tracer, "conversations")
        self._stream = stream
        self._first_lanes = first_lanes
        self._limits = limits

    async def ingest(self, body: bytes, content_type: str, project: str) -> Ingested:
        """Store what is good and say what became of each item.

        Raises:
            InvalidInput: the body as a whole cannot be read, or holds more items than the limit.
            BackendError: the store cannot take it now; nothing is stored.
        """
        entries = await self._read(body, content_type, project)
        submissions = [entry for entry in entries if isinstance(entry, Submission)]
        receipts = await self._adds.write(submissions) if submissions else []
        await self._ring(receipts)
        answer = _answer(entries, receipts)
        return Ingested(answer, _counted(answer))

    async def _read(self, body: bytes, content_type: str, project: str) -> list[Submission | Rejection]:
        if len(body) <= READ_ASIDE_BYTES:
            return read_body(body, content_type, project=project, limits=self._limits)
        return await asyncio.to_thread(read_body, body, content_type, project=project, limits=self._limits)

    async def _ring(self, receipts: Sequence[Receipt]) -> None:
        keys = _latest(receipts)
        if not keys:
            return
        for lane in self._first_lanes:
            try:
                await self._stream.append(lane, keys)
            except BackendError as error:
                telemetry.UNRUNG.labels(lane).inc(len(keys))
                log.warning("stream.unwritable", lane=lane, conversations=len(keys), error=str(error))


def _counted(answer: IngestAnswer) -> dict[ItemStatus, int]:
    """Count items by status, for the metrics as well."""
    found = [item.status for item in answer.items]
    counts: dict[ItemStatus, int] = {status: found.count(status) for status in _COUNTERS}
    for status, count in counts.items():
        if count:
            _COUNTERS[status].inc(count)
    return counts


def _latest(receipts: Sequence[Receipt]) -> list[RevisionKey]:
    """List what waits for evaluation, each conversation once, in its newest state."""
    newest: dict[bytes, RevisionKey] = {}
    for receipt in receipts:
        if receipt.status != "duplicate" and receipt.conversation_status == "pending":
            newest[receipt.revision_key.conversation_key] = receipt.revision_key
    return list(newest.values())


def _answer(entries: Sequence[Submission | Rejection], receipts: Sequence[Receipt]) -> IngestAnswer:
    stored = iter(receipts)
    return IngestAnswer(
        tuple(
            _rejected(entry, index) if isinstance(entry, Rejection) else _taken(entry, index, next(stored))
            for index, entry in enumerate(entries)
        )
    )


def _rejected(rejection: Rejection, index: int) -> ItemAnswer:
    return ItemAnswer(
        index=index,
        status="rejected",
        conversation_id=rejection.conversation_id,
        pointer=rejection.pointer,
        reason=rejection.reason,
    )


def _taken(submission: Submission, index: int, receipt: Receipt) -> ItemAnswer:
    key = receipt.revision_key
    return ItemAnswer(
        index=index,
        status=receipt.status,
        conversation_id=submission.conversation_id,
        key=key_to_text(key.conversation_key),
        revision=key.revision,
        conversation_status=receipt.conversation_status,
        notes=submission.notes,
    )
