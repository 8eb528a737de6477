"""What does a batch of submissions change? Decided in memory, from what the store holds on their conversations.

Content that was stored before is a duplicate, whichever revision it was, so that a late retry changes nothing. The one
exception: content that is now complete and was not before is a revision. A revision that continues the latest one
stores its new turns only; every `CHAIN_LENGTH`th is stored whole, so that reading stays cheap, and so is the first of a
month, so that each month can be archived by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from healing_eval.backends.sql.feedback import news, numbered
from healing_eval.backends.sql.rows import Row, Values
from healing_eval.domain.annotation import Annotation
from healing_eval.domain.conversation import bucket_of
from healing_eval.domain.revision import Receipt, RevisionKey, Status, Submission
from healing_eval.formats.prefix import cut

CHAIN_LENGTH = 16
"""Most rows that make up one body."""


class Head(msgspec.Struct, kw_only=True):
    """A row of `conversations`, field by field."""

    conversation_key: bytes
    project: str
    conversation_id: str
    revision: int = 0
    agent_version: str = ""
    status: Status = "pending"
    outstanding: int = 0
    turn_count: int = 0
    entry_count: int = 0
    prefix_hash: bytes = b""
    whole_revision: int = 0
    accepted_at: datetime
    whole_accepted_at: datetime
    annotation_count: int = 0
    failed_because: str | None = None
    bucket: int


class Known(msgspec.Struct):
    """What the store holds on one conversation."""

    head: Head
    contents: dict[tuple[bytes, bool], int] = {}
    """Content hash and completeness of each revision, to its number."""
    annotations: list[Annotation] = []


class Changes(msgspec.Struct):
    """What is to be written, and what is to be answered."""

    receipts: list[Receipt] = []
    new_heads: list[Values] = []
    changed_heads: list[Values] = []
    revisions: list[Values] = []
    annotations: list[Row] = []


def plan(submissions: Sequence[Submission], known: Mapping[bytes, Known], mask: int, now: datetime) -> Changes:
    """Decide what becomes of each submission, one after the other.

    Args:
        submissions: in the order they were sent.
        known: what the store holds, for those conversations it has.
        mask: the bits of all lanes.
        now: the time of acceptance.
    """
    changes = Changes()
    states: dict[bytes, Known] = dict(known)
    touched: dict[bytes, None] = {}
    for submission in submissions:
        key = submission.key
        state = states.setdefault(key, Known(_new_head(submission, now)))
        receipt = _take(submission, state, mask, now, changes)
        changes.receipts.append(receipt)
        said = _take_annotations(submission, state, now, changes)
        if said or receipt.status != "duplicate":
            touched[key] = None
    for key in touched:
        written = changes.changed_heads if key in known else changes.new_heads
        written.append(msgspec.structs.asdict(states[key].head))
    return changes


def _new_head(submission: Submission, now: datetime) -> Head:
    key = submission.key
    return Head(
        conversation_key=key,
        project=submission.project,
        conversation_id=submission.conversation_id,
        accepted_at=now,
        whole_accepted_at=now,
        bucket=bucket_of(key),
    )


def _take(submission: Submission, state: Known, mask: int, now: datetime, changes: Changes) -> Receipt:
    head, complete = state.head, submission.complete
    earlier = state.contents.get((submission.content_hash, True))
    if earlier is None and not complete:
        earlier = state.contents.get((submission.content_hash, False))
    if earlier is not None:
        return Receipt("duplicate", RevisionKey(head.conversation_key, earlier), head.status)
    # A clock that was set back must not put a revision before the one it builds on.
    accepted_at = max(now, head.accepted_at)
    row = _revision(submission, head, accepted_at)
    _advance(head, submission, row, mask)
    state.contents[submission.content_hash, complete] = head.revision
    changes.revisions.append(row)
    status = "accepted" if head.revision == 1 else "revised"
    return Receipt(status, RevisionKey(head.conversation_key, head.revision), head.status)


def _revision(submission: Submission, head: Head, accepted_at: datetime) -> Values:
    rest = _new_entries_only(submission, head, accepted_at)
    whole = rest is None
    return {
        "conversation_key": head.conversation_key,
        "revision": head.revision + 1,
        "accepted_at": accepted_at,
        "project": head.project,
        "conversation_id": head.conversation_id,
        "agent_version": submission.agent_version,
        "content_hash": submission.content_hash,
        "prefix_hash": submission.turn_hashes[-1],
        "turn_count": submission.turn_count,
        "complete": submission.complete,
        "base_revision": None if whole else head.whole_revision,
        "base_accepted_at": None if whole else head.whole_accepted_at,
        "base_turn_count": None if whole else head.entry_count,
        "body": submission.body if rest is None else rest,
        "bucket": head.bucket,
    }


def _new_entries_only(submission: Submission, head: Head, accepted_at: datetime) -> bytes | None:
    """Cut off what the latest revision has; None if this one is to be stored whole."""
    links, shared = submission.turn_hashes, head.entry_count
    if not 0 < shared <= len(links) or links[shared - 1] != head.prefix_hash:
        return None
    if head.revision + 1 - head.whole_revision >= CHAIN_LENGTH:
        return None
    begun = head.whole_accepted_at
    if (begun.year, begun.month) != (accepted_at.year, accepted_at.month):
        return None
    return cut(submission.body, shared)


def _advance(head: Head, submission: Submission, row: Values, mask: int) -> None:
    """Make the new revision the latest."""
    head.revision = row["revision"]
    head.accepted_at = row["accepted_at"]
    if row["base_revision"] is None:
        head.whole_revision, head.whole_accepted_at = head.revision, head.accepted_at
    head.agent_version = submission.agent_version
    head.turn_count = submission.turn_count
    head.entry_count = len(submission.turn_hashes)
    head.prefix_hash = submission.turn_hashes[-1]
    head.status, head.outstanding = ("pending", mask) if submission.evaluable else ("unevaluable", 0)
    head.failed_because = None


def _take_annotations(submission: Submission, state: Known, now: datetime, changes: Changes) -> bool:
    if not submission.annotations:
        return False
    head = state.head
    fresh = news(state.annotations, submission.annotations)
    changes.annotations += numbered(head.conversation_key, head.annotation_count, fresh, now)
    state.annotations.extend(fresh)
    head.annotation_count += len(fresh)
    return bool(fresh)
