"""Which conversations and evaluations are asked for?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, Literal, TypeVar

import msgspec

from healing_eval.domain.evaluation import Outcome
from healing_eval.domain.issue_types import Severity
from healing_eval.domain.revision import Status

T = TypeVar("T")

Sort = Literal["evaluated_at", "-evaluated_at", "overall", "-overall"]

MAX_PAGE = 100


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a longer list."""

    items: Sequence[T]
    next_cursor: str | None = None
    """Hand it back for the next page; None on the last. Opaque."""


class ConversationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations to list; every field given must hold."""

    status: tuple[Status, ...] = ()
    """Any of these."""
    agent_versions: tuple[str, ...] = ()
    """Any of these."""
    accepted_from: datetime | None = None
    """Inclusive."""
    accepted_before: datetime | None = None
    """Exclusive."""
    limit: int = 50
    """Most items on the page, 1 to 100."""
    cursor: str | None = None
    """`next_cursor` of the page before."""


class EvaluationQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which evaluated conversations to find; every field given must hold. Empty lists filter nothing."""

    conversation_ids: tuple[str, ...] = ()
    agent_versions: tuple[str, ...] = ()
    evaluators: tuple[str, ...] = ()
    """Only conversations these evaluators measured, and only their evaluations."""
    evaluated_from: datetime | None = None
    """Inclusive, by the time of the verdict."""
    evaluated_before: datetime | None = None
    """Exclusive."""
    min_overall: float | None = None
    """Inclusive, in [0, 1]; with it, or with `max_overall`, conversations without a score are left out."""
    max_overall: float | None = None
    """Inclusive, in [0, 1]."""
    outcome: tuple[Outcome, ...] = ()
    has_issues: bool | None = None
    issue_types: tuple[str, ...] = ()
    """At least one issue of any of these types; each must be a known one, those of plug-ins included."""
    min_severity: Severity | None = None
    """At least one issue this grave (of the issue types given, if any)."""
    sort: Sort = "-evaluated_at"
    """A leading minus sorts downwards. Conversations without a score come last either way."""
    limit: int = 50
    """Most items on the page, 1 to 100."""
    cursor: str | None = None
    """`next_cursor` of the page before, asked with the same query."""
