"""Who keeps conversations, evaluations and verdicts, on any SQL database?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.add import add
from healing_eval.backends.sql.arrivals import add_arrivals
from healing_eval.backends.sql.backfill import find_gaps, find_mean_cost, list_measured, open_again
from healing_eval.backends.sql.bulk import Lane
from healing_eval.backends.sql.clock import Clock, moment
from healing_eval.backends.sql.close import close_lane, give_up, reopen
from healing_eval.backends.sql.engine import RACES, Database, is_lost_race
from healing_eval.backends.sql.feedback import append_annotations, list_annotations
from healing_eval.backends.sql.lanes import LaneBits
from healing_eval.backends.sql.months import Months, delete_conversations
from healing_eval.backends.sql.query import find_heads, find_verdicts
from healing_eval.backends.sql.read import list_evaluations, list_found, load_revisions
from healing_eval.backends.sql.rows import of_revisions, read_verdict, revision_key, span_of
from healing_eval.backends.sql.tables import IS_OUTSTANDING, conversations, revisions, verdicts
from healing_eval.domain.annotation import Annotation
from healing_eval.domain.conversation import conversation_key
from healing_eval.domain.evaluation import Evaluation
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
from healing_eval.errors import BackendError
from healing_eval.ports.archive import Part, Row
from healing_eval.ports.ledger import (
    Decide,
    EvaluatedRevision,
    Found,
    Gap,
    GapQuery,
    LaneResult,
    MeanCost,
    Schema,
    StoredAnnotation,
)

Done = TypeVar("Done")

log = structlog.get_logger()


class SqlLedger:
    """A `Ledger` on SQLAlchemy Core. What makes it one of a certain database is the `Database` it gets."""

    def __init__(self, database: Database, months: Months, clock: Clock | None = None) -> None:
        """Take a database, its months, and what tells the time instead of the database's server."""
        self._database = database
        self._months = months
        self._clock = clock
        self._lanes = LaneBits(database)

    async def open(self) -> None:
        try:
            await self._database.open()
        except BaseException:  # who could not open will not close
            await self._database.close()
            raise
        try:
            await self.make_room()
        except BackendError as error:  # there is room for everything, only not the best
            log.warning("ledger.no_room_made", error=str(error))

    async def about(self) -> str:
        return await self._database.about()

    async def make_room(self) -> None:
        await self._database.make_room(await self.now())

    async def now(self) -> datetime:
        if self._clock is not None:
            return self._clock()
        async with self._database.look() as connection:
            return (await connection.execute(select(moment(None)))).scalar_one()

    async def schema(self) -> Schema:
        return await self._database.schema()

    async def close(self) -> None:
        await self._database.close()

    async def check(self) -> None:
        await self._database.check()

    async def add(self, submissions: Sequence[Submission], lanes: Sequence[str]) -> list[Receipt]:
        mask = await self._lanes.mask(lanes)
        receipts = await self._add_arrivals(submissions, mask) if self._database.remote else None
        if receipts is not None:
            return receipts
        return await self._write(lambda connection: add(connection, submissions, mask, self._here()))

    async def _add_arrivals(self, submissions: Sequence[Submission], mask: int) -> list[Receipt] | None:
        """Store what nobody has sent before; None if some of it was, or the connection turned out to be closed.

        What was stored and not answered is then found as a duplicate, and rung by the sweeper.
        """
        try:
            async with self._database.look() as connection:
                return await add_arrivals(connection, submissions, mask, self._here())
        except BackendError as error:
            if is_lost_race(error) or self._database.has_lost(error):
                return None
            raise

    async def load(self, keys: Sequence[RevisionKey]) -> list[StoredRevision]:
        if not keys:
            return []
        async with self._database.look() as connection:
            return await load_revisions(connection, keys)

    async def load_outstanding(self, keys: Sequence[RevisionKey], lane: str) -> list[StoredRevision]:
        bit = await self._lanes.find(lane)
        if not (bit and keys):
            return []
        async with self._database.look() as connection:
            return await load_revisions(connection, keys, bit)

    async def close_lane(self, lane: str, results: Sequence[LaneResult], decide: Decide) -> list[RevisionKey]:
        bit = await self._lanes.find(lane)
        if not (bit and results):
            return []
        closing = Lane(lane, bit)
        return await self._write(lambda connection: close_lane(connection, closing, results, decide, self._here()))

    async def fail(self, keys: Sequence[RevisionKey], lane: str, reason: str) -> None:
        bit = await self._lanes.find(lane)
        if bit and keys:
            closing = Lane(lane, bit)
            await self._write(lambda connection: give_up(connection, closing, keys, reason, self._here()))

    async def reopen(self, keys: Sequence[RevisionKey], lane: str) -> list[RevisionKey]:
        bit = await self._lanes.find(lane)
        if not (bit and keys):
            return []
        return await self._write(lambda connection: reopen(connection, Lane(lane, bit), keys))

    async def gaps(self, query: GapQuery) -> Page[Gap]:
        async with self._database.patient() as connection:
            return Page(*await find_gaps(connection, query))

    async def open_again(self, keys: Sequence[RevisionKey], lane: str) -> list[RevisionKey]:
        if not keys:
            return []
        opening = Lane(lane, await self._lanes.mask([lane]))
        return await self._write(lambda connection: open_again(connection, opening, keys))

    async def measured(
        self, revisions: Sequence[StoredRevision], evaluators: Sequence[str]
    ) -> dict[RevisionKey, list[Evaluation]]:
        if not (revisions and evaluators):
            return {}
        async with self._database.read() as connection:
            return await list_measured(connection, revisions, evaluators)

    async def found(
        self, revisions: Sequence[StoredRevision], evaluators: Sequence[str]
    ) -> dict[RevisionKey, dict[str, Found]]:
        if not (revisions and evaluators):
            return {}
        async with self._database.look() as connection:
            return await list_found(connection, revisions, evaluators)

    async def mean_cost(self, project: str, evaluator: str) -> MeanCost:
        async with self._database.patient() as connection:
            return await find_mean_cost(connection, project, evaluator)

    async def pending(
        self, lane: str, *, accepted_before: datetime, limit: int, after: Sequence[str] = ()
    ) -> list[RevisionKey]:
        bit = await self._lanes.find(lane)
        first = sum([await self._lanes.find(name) for name in set(after)])
        table = conversations.c
        async with self._database.look() as connection:
            found = await connection.execute(
                select(table.conversation_key, table.revision)
                .where(
                    IS_OUTSTANDING,
                    table.outstanding.bitwise_and(bit) != 0,
                    table.outstanding.bitwise_and(first) == 0,
                    table.accepted_at < accepted_before,
                )
                .order_by(table.accepted_at)
                .limit(limit)
            )
            return [revision_key(row) for row in found]

    async def count_pending(self, *, limit: int) -> int:
        some = select(literal(1)).select_from(conversations).where(IS_OUTSTANDING).limit(limit).subquery()
        async with self._database.look() as connection:
            return (await connection.execute(select(func.count()).select_from(some))).scalar_one()

    async def pending_since(self, lane: str) -> datetime | None:
        bit = await self._lanes.find(lane)
        waits = (IS_OUTSTANDING, conversations.c.outstanding.bitwise_and(bit) != 0)
        oldest = select(conversations.c.accepted_at).where(*waits).order_by(conversations.c.accepted_at).limit(1)
        async with self._database.look() as connection:
            return (await connection.execute(oldest)).scalar()

    async def find(self, project: str, conversation_id: str) -> ConversationHead | None:
        return await self.find_by_key(project, conversation_key(project, conversation_id))

    async def find_by_key(self, project: str, key: bytes) -> ConversationHead | None:
        row = await self._find_row(key)
        return await self._head(row) if row is not None and row.project == project else None

    async def list_heads(self, project: str, chosen: ConversationFilter) -> Page[ConversationHead]:
        async with self._database.look() as connection:
            rows, cursor = await find_heads(connection, project, chosen)
        return Page([await self._head(row) for row in rows], cursor)

    async def annotate(self, key: bytes, annotations: Sequence[Annotation]) -> int:
        if not annotations:
            return 0
        return await self._write(lambda connection: append_annotations(connection, key, annotations, self._here()))

    async def annotations(self, keys: Sequence[bytes]) -> list[StoredAnnotation]:
        async with self._database.look() as connection:
            return await list_annotations(connection, keys)

    async def evaluated(self, key: bytes, revision: int | None = None) -> EvaluatedRevision | None:
        row = await self._find_row(key)
        if row is None:
            return None
        wanted = RevisionKey(key, row.revision if revision is None else revision)
        span = (row.accepted_at, row.accepted_at) if wanted.revision == row.revision else None
        async with self._database.read() as connection:
            its_own = of_revisions(connection, revisions, [wanted], span)
            if (await connection.execute(select(revisions.c.revision).where(its_own))).first() is None:
                return None
            judged = of_revisions(connection, verdicts, [wanted], span)
            verdict = (await connection.execute(select(verdicts).where(judged))).first()
            found = await list_evaluations(connection, [wanted], span)
        return EvaluatedRevision(
            head=await self._head(row),
            revision=wanted.revision,
            verdict=None if verdict is None else read_verdict(verdict),
            evaluations=tuple(found.get(wanted, ())),
        )

    async def query(self, project: str, query: EvaluationQuery) -> Page[EvaluatedRevision]:
        async with self._database.read() as connection:
            rows, cursor = await find_verdicts(connection, project, query)
            span = span_of(row.accepted_at for row in rows) if rows else None
            found = await list_evaluations(connection, [revision_key(row) for row in rows], span, query.evaluators)
        items = [
            EvaluatedRevision(
                head=await self._head(row),
                revision=row.revision,
                verdict=read_verdict(row),
                evaluations=tuple(found.get(revision_key(row), ())),
            )
            for row in rows
        ]
        return Page(items, cursor)

    async def delete(self, keys: Sequence[bytes]) -> int:
        async def work(connection: AsyncConnection) -> int:
            return await delete_conversations(connection, keys, await self._months.aside(connection))

        return await self._write(work) if keys else 0

    async def months_before(self, month: Month) -> list[Month]:
        return await self._months.before(month)

    async def unevaluated(self, month: Month) -> int:
        return await self._months.unevaluated(month)

    async def close_month(self, month: Month) -> None:
        await self._months.close(month)

    async def month_parts(self, month: Month) -> list[Part]:
        return await self._months.parts(month)

    def month_rows(self, part: Part) -> AsyncIterator[Row]:
        return self._months.rows(part)

    async def drop_month(self, month: Month) -> int:
        return await self._months.drop(month)

    async def count_by_status(self) -> dict[Status, int]:
        status = conversations.c.status
        async with self._database.look() as connection:
            found = await connection.execute(select(status, func.count()).group_by(status))
            return {name: count for name, count in found.all()}  # noqa: C416 - a row is no pair to the type checker

    def _here(self) -> datetime | None:
        """Tell the time, unless that is the server's to do."""
        return None if self._clock is None else self._clock()

    async def _write(self, work: Callable[[AsyncConnection], Awaitable[Done]]) -> Done:
        """Do work in a transaction, and all of it again where somebody else's came first."""
        lost: BackendError | None = None
        for _ in range(RACES):
            try:
                async with self._database.write() as connection:
                    return await work(connection)
            except BackendError as error:
                if not is_lost_race(error):
                    raise
                lost = error
        raise BackendError(f"others store the same at the same time, again and again: {lost}") from lost

    async def _find_row(self, key: bytes) -> Any | None:
        async with self._database.look() as connection:
            found = await connection.execute(select(conversations).where(conversations.c.conversation_key == key))
            return found.first()

    async def _head(self, row: Any) -> ConversationHead:
        return ConversationHead(
            revision_key=revision_key(row),
            project=row.project,
            conversation_id=row.conversation_id,
            agent_version=row.agent_version,
            status=row.status,
            turn_count=row.turn_count,
            accepted_at=row.accepted_at,
            outstanding=await self._lanes.names(row.outstanding),
            failed_because=row.failed_because,
        )
