"""Which state of a conversation is meant?

Content is agent_version, turns, tools and system_prompt in canonical form; feedback and metadata are not content.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from healing_eval.domain.annotation import Annotation

Status = Literal["pending", "evaluating", "done", "unevaluable", "failed"]

HASH_BYTES = 16


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One item as it was sent, read and fingerprinted, not stored yet."""

    project: str
    key: bytes
    """The conversation's."""
    conversation_id: str
    agent_version: str
    turn_count: int
    evaluable: bool
    """Whether the agent said or did anything."""
    complete: bool
    """False while more turns are expected."""
    body: bytes
    """The item's bytes, verbatim but for what `notes` says."""
    content_hash: bytes
    """16 bytes over the canonical content."""
    turn_hashes: tuple[bytes, ...]
    """After each turn, the chained hash (16 bytes) of everything up to it; the last one covers all turns."""
    annotations: tuple[Annotation, ...] = ()
    notes: tuple[str, ...] = ()
    """What was repaired in the bytes and what of the feedback was left out, in words for the sender."""


class RevisionKey(msgspec.Struct, frozen=True, array_like=True):
    """Names one state of one conversation; what a stream message carries."""

    conversation_key: bytes
    revision: int
    """1 for the first."""


class Receipt(msgspec.Struct, frozen=True):
    """What became of one submission."""

    status: Literal["accepted", "revised", "duplicate"]
    revision_key: RevisionKey
    conversation_status: Status = "pending"


class StoredRevision(msgspec.Struct, frozen=True, kw_only=True):
    """A revision as the store keeps it, with its whole body put together again."""

    revision_key: RevisionKey
    project: str
    conversation_id: str
    accepted_at: datetime
    complete: bool
    body: bytes
    untouched: bool = False
    """Whether no lane had finished it when it was loaded for one."""


class ConversationHead(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of a conversation, for lists and look-ups."""

    revision_key: RevisionKey
    project: str
    conversation_id: str
    agent_version: str
    status: Status
    turn_count: int
    accepted_at: datetime
    outstanding: tuple[str, ...] = ()
    """Lanes that have not finished."""
    failed_because: str | None = None
    """Why a lane gave up on the latest revision, the lane first; None if none did."""
