"""Who keeps conversations, evaluations and verdicts?

Everything here belongs to one conversation and is found by its key, so the ledger can be sharded by key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Literal, Protocol, Self

import msgspec

from healing_eval.domain.annotation import Annotation
from healing_eval.domain.conversation import TurnId
from healing_eval.domain.evaluation import Evaluation, Verdict
from healing_eval.domain.issue_types import Severity
from healing_eval.domain.month import Month
from healing_eval.domain.query import ConversationFilter, EvaluationQuery, Page
from healing_eval.domain.revision import (
    ConversationHead,
    Receipt,
    RevisionKey,
    Status,
    StoredRevision,
    Submission,
)
from healing_eval.domain.unmeasured import Why
from healing_eval.domain.verdict import Opinion
from healing_eval.ports.archive import Part, Row
from healing_eval.ports.evaluator import Fact

Decide = Callable[[Sequence[Opinion], bool], Verdict]
"""From the opinions of all evaluators on one revision, and whether no lane is outstanding, to its verdict."""


class LaneResult(msgspec.Struct, frozen=True):
    """What one lane found out about one revision."""

    revision_key: RevisionKey
    evaluations: tuple[Evaluation, ...]


class FoundIssue(msgspec.Struct, frozen=True, gc=False):
    """What of an issue others are told: a `Fact`."""

    type: str
    severity: Severity
    description: str
    turn_id: TurnId | None


class Found(msgspec.Struct, frozen=True):
    """What an evaluator found last in a revision, scores aside."""

    version: str
    """The evaluator's."""
    status: Literal["measured", "abstained", "failed"]
    issues: Sequence[Fact] = ()


class EvaluatedRevision(msgspec.Struct, frozen=True, kw_only=True):
    """A revision's verdict and the evaluations behind it."""

    head: ConversationHead
    revision: int
    """The revision evaluated; the head may be further on."""
    verdict: Verdict | None
    evaluations: tuple[Evaluation, ...]


class Gap(msgspec.Struct, frozen=True):
    """A latest revision that an evaluator did not measure though it could have."""

    revision_key: RevisionKey
    why: Why


class GapQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which gaps to find; every field given must hold."""

    project: str
    evaluator: str
    why: tuple[Why, ...]
    """Any of these."""
    accepted_from: datetime | None = None
    """Inclusive."""
    accepted_before: datetime | None = None
    """Exclusive."""
    limit: int = 1000
    """Most on the page, at least 1."""
    cursor: str | None = None
    """`next_cursor` of the page before."""


class MeanCost(msgspec.Struct, frozen=True):
    """What an evaluation costs on the average."""

    evaluations: int
    """Of how many the cost is known; those that asked no model are not among them."""
    dollars: float | None
    """None if it is known of none."""


class StoredAnnotation(msgspec.Struct, frozen=True):
    """An annotation with the conversation it belongs to."""

    conversation_key: bytes
    annotation: Annotation


class Schema(msgspec.Struct, frozen=True):
    """Which schema a store has."""

    stored: str | None
    """Its version; None: there is none yet."""
    wanted: str
    """The version this program brings it to; the stored one where that will do."""


class Ledger(Protocol):
    """The truth about conversations."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a ledger from its address; nothing is connected yet."""
        ...

    async def open(self) -> None:
        """Connect and bring the schema up to date.

        Raises:
            ConfigError: the server refuses us, or cannot do what we need.
            BackendError: the store cannot be reached or is of a newer version.
        """
        ...

    async def about(self) -> str:
        """Say in a few words what answers: program, version, schema. A server is asked without changing anything.

        Raises:
            ConfigError: the server refuses us, or cannot do what we need.
            BackendError: the store cannot be reached or is of a newer version.
        """
        ...

    async def schema(self) -> Schema:
        """Tell which schema the store has, without opening it or changing anything.

        Raises:
            BackendError: the store cannot be reached or is of a newer version.
        """
        ...

    async def make_room(self) -> None:
        """Prepare for what will be accepted in the coming months; done by `open`, and to be repeated daily.

        Any number of processes may do so at the same time. Nothing is refused because it was not done.

        Raises:
            BackendError: it could not be done now.
        """
        ...

    async def now(self) -> datetime:
        """Tell the time by the clock that all times in the store are by: one for all hosts, whose clocks differ.

        What is compared with a time in the store, such as an age, is to be measured from this one.

        Raises:
            BackendError: the store does not answer.
        """
        ...

    async def add(self, submissions: Sequence[Submission], lanes: Sequence[str]) -> list[Receipt]:
        """Store submissions in one transaction; a receipt for each, in order, once it is committed.

        The same content again is a duplicate; changed content becomes a new revision, with every lane outstanding.
        Content alike but now complete is a new revision too. A conversation without an assistant turn is stored as
        `unevaluable`, with no lane outstanding. Annotations are appended in the same transaction, unless the newest
        one of the same type, annotator and turn says the same. All of them are accepted at the same time, the store's.
        """
        ...

    async def load(self, keys: Sequence[RevisionKey]) -> list[StoredRevision]:
        """Load revisions at once; those that do not exist are left out."""
        ...

    async def load_outstanding(self, keys: Sequence[RevisionKey], lane: str) -> list[StoredRevision]:
        """Load those of these revisions that are the latest and have the lane outstanding."""
        ...

    async def close_lane(self, lane: str, results: Sequence[LaneResult], decide: Decide) -> list[RevisionKey]:
        """Store a lane's results exactly once, in one transaction, and rewrite the verdicts.

        The transaction begins with an update of the heads that clears the lane's bit where the revision is still the
        latest and the bit is set; only what that returned is stored. What the same evaluators said of these revisions
        before, as when a lane was opened again, goes with its issues.

        Returns:
            The revisions whose results were stored; the others had been closed before or are out of date.
        """
        ...

    async def fail(self, keys: Sequence[RevisionKey], lane: str, reason: str) -> None:
        """Give up on a lane of these revisions: clear its bit and mark the conversation `failed` with the reason."""
        ...

    async def reopen(self, keys: Sequence[RevisionKey], lane: str) -> list[RevisionKey]:
        """Take back that a lane of these revisions was given up, and tell of which; only the latest can be opened."""
        ...

    async def gaps(self, query: GapQuery) -> Page[Gap]:
        """Find what an evaluator did not measure in conversations that no lane is at work on, oldest first, by keyset.

        A month that went to the archive is not looked at.
        """
        ...

    async def open_again(self, keys: Sequence[RevisionKey], lane: str) -> list[RevisionKey]:
        """Have a lane work once more on what is settled, and tell of which; only the latest can be opened.

        Until the lane is closed again the evaluations and the verdict stay as they are.
        """
        ...

    async def measured(
        self, revisions: Sequence[StoredRevision], evaluators: Sequence[str]
    ) -> dict[RevisionKey, list[Evaluation]]:
        """Give what these evaluators have measured of these revisions; only those of which something is."""
        ...

    async def found(
        self, revisions: Sequence[StoredRevision], evaluators: Sequence[str]
    ) -> dict[RevisionKey, dict[str, Found]]:
        """Give what each of these evaluators found last in these revisions; only those that are done."""
        ...

    async def mean_cost(self, project: str, evaluator: str) -> MeanCost:
        """Tell what an evaluator's evaluations cost in the newest conversations of a project."""
        ...

    async def pending(
        self, lane: str, *, accepted_before: datetime, limit: int, after: Sequence[str] = ()
    ) -> list[RevisionKey]:
        """List the latest revisions whose lane is outstanding since before a time, oldest first.

        Without those for which a lane of `after` is outstanding as well.
        """
        ...

    async def count_pending(self, *, limit: int) -> int:
        """Count the conversations that have a lane outstanding, up to `limit`; what is done costs nothing."""
        ...

    async def pending_since(self, lane: str) -> datetime | None:
        """Tell when the revision was accepted that waits longest on a lane; None if none waits."""
        ...

    async def find(self, project: str, conversation_id: str) -> ConversationHead | None:
        """Find a conversation by the id its sender gave."""
        ...

    async def find_by_key(self, project: str, key: bytes) -> ConversationHead | None:
        """Find a conversation by its key, if it belongs to the project."""
        ...

    async def list_heads(self, project: str, chosen: ConversationFilter) -> Page[ConversationHead]:
        """List conversations, newest first, by keyset."""
        ...

    async def annotate(self, key: bytes, annotations: Sequence[Annotation]) -> int:
        """Append annotations; those that say what the newest one said are left out. Returns how many were added."""
        ...

    async def annotations(self, keys: Sequence[bytes]) -> list[StoredAnnotation]:
        """List what people said about these conversations, oldest first."""
        ...

    async def evaluated(self, key: bytes, revision: int | None = None) -> EvaluatedRevision | None:
        """Give a conversation's verdict and evaluations, by default of the latest revision."""
        ...

    async def query(self, project: str, query: EvaluationQuery) -> Page[EvaluatedRevision]:
        """Find evaluated conversations, latest revisions only, with every filter applied."""
        ...

    async def delete(self, keys: Sequence[bytes]) -> int:
        """Delete all there is of these conversations, in one transaction.

        Results of a worker that has one in hand are not stored any more. An archive is not touched.

        Returns:
            How many there were; the others do not exist, or do not any more.
        """
        ...

    async def months_before(self, month: Month) -> list[Month]:
        """List the months before one that hold something, oldest first, those that are on their way out included."""
        ...

    async def unevaluated(self, month: Month) -> int:
        """Count the conversations whose latest revision is of this month and has lanes outstanding."""
        ...

    async def close_month(self, month: Month) -> None:
        """Take a month out of what is read and written, where the store can; one that is past is meant.

        Raises:
            BackendError: not now, since others use it; calling again goes on where this ended.
        """
        ...

    async def month_parts(self, month: Month) -> list[Part]:
        """Say what of a month goes to the archive: its rows, and the annotations of conversations that go with it.

        Nothing of a month that `drop_month` has begun to drop.
        """
        ...

    def month_rows(self, part: Part) -> AsyncIterator[Row]:
        """Give the rows of a part, a few at a time; the same part gives the same rows."""
        ...

    async def drop_month(self, month: Month) -> int:
        """Delete a month, and the conversations that have no revision in a later one; tells how many those were.

        Raises:
            BackendError: it could not be finished now; calling again goes on where this ended.
        """
        ...

    async def count_by_status(self) -> dict[Status, int]:
        """Count conversations by status."""
        ...

    async def check(self) -> None:
        """Do a trivial round trip, and make sure that the store takes writes, by the last one or by a small one.

        Raises:
            BackendError: the store does not answer, or takes no writes.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
