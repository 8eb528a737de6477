"""What was not measured, and how is it measured after all?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.bulk import Lane
from healing_eval.backends.sql.cursor import read_cursor
from healing_eval.backends.sql.query import Order
from healing_eval.backends.sql.read import list_evaluations
from healing_eval.backends.sql.rows import of_revisions, revision_key, span_of
from healing_eval.backends.sql.tables import conversations, evaluations
from healing_eval.domain.evaluation import Evaluation, Findings
from healing_eval.domain.revision import RevisionKey, StoredRevision
from healing_eval.domain.unmeasured import OF_BUDGET, OF_NO_MODEL, Why
from healing_eval.ports.ledger import Gap, GapQuery, MeanCost

NEWEST = 1000
"""Conversations whose evaluations tell what one costs."""

_heads = conversations.c
_said = evaluations.c
_measured = evaluations.alias("measured")

_OF_THE_LATEST = and_(*(_heads[name] == _said[name] for name in ("conversation_key", "revision", "accepted_at")))
_MEASURED_TOO = exists().where(
    *(_measured.c[name] == _said[name] for name in ("conversation_key", "revision", "accepted_at", "evaluator")),
    _measured.c.status == "measured",
)
_ORDER = Order("gaps", _heads.accepted_at, _heads.conversation_key, datetime)


def _because(why: Why) -> ColumnElement[bool]:
    if why == "failed":
        return _said.status == "failed"
    beginning = OF_BUDGET if why == "budget" else OF_NO_MODEL
    return and_(_said.status == "abstained", _said.reason.startswith(beginning, autoescape=True))


async def find_gaps(connection: AsyncConnection, query: GapQuery) -> tuple[list[Gap], str | None]:
    """Find a page of gaps, and where the next begins.

    Raises:
        InvalidInput: the cursor is none.
    """
    conditions = [
        _heads.project == query.project,
        _heads.outstanding == 0,
        _said.evaluator == query.evaluator,
        or_(*map(_because, query.why)),
        ~_MEASURED_TOO,
    ]
    for moment in (_heads.accepted_at, _said.accepted_at):  # the latter says which months are to be looked at
        if query.accepted_from is not None:
            conditions.append(moment >= query.accepted_from)
        if query.accepted_before is not None:
            conditions.append(moment < query.accepted_before)
    if query.cursor is not None:
        conditions.append(_ORDER.after(read_cursor(query.cursor, _ORDER.name, _ORDER.kind)))
    columns = (_heads.conversation_key, _heads.revision, _heads.accepted_at, _said.status, _said.reason)
    found: Any = select(*columns).join_from(conversations, evaluations, _OF_THE_LATEST).where(*conditions)
    rows = (await connection.execute(_ORDER.apply(found).limit(query.limit + 1))).all()
    page = rows[: query.limit]
    following = _ORDER.cursor_of(page[-1]) if len(rows) > query.limit else None
    gaps = {revision_key(row): Gap(revision_key(row), _why(row)) for row in page}  # said twice, it is one
    return list(gaps.values()), following


def _why(row: Any) -> Why:
    if row.status == "failed":
        return "failed"
    return "budget" if row.reason.startswith(OF_BUDGET) else "no-model"


async def open_again(connection: AsyncConnection, lane: Lane, keys: Sequence[RevisionKey]) -> list[RevisionKey]:
    """Set the lane's bit where the revision is the latest, can be evaluated, and has no bit set."""
    opened = await connection.execute(
        update(conversations)
        .where(of_revisions(connection, conversations, keys), _heads.outstanding == 0, _heads.status != "unevaluable")
        .values(outstanding=lane.bit, status="evaluating")
        .returning(_heads.conversation_key, _heads.revision)
    )
    return [revision_key(row) for row in opened]


async def list_measured(
    connection: AsyncConnection, revisions: Sequence[StoredRevision], evaluators: Sequence[str]
) -> dict[RevisionKey, list[Evaluation]]:
    """List what evaluators have measured, of each the newest."""
    span = span_of(one.accepted_at for one in revisions)
    found = await list_evaluations(connection, [one.revision_key for one in revisions], span, evaluators)
    newest = {
        key: {one.evaluator: one for one in said if isinstance(one.result, Findings)} for key, said in found.items()
    }
    return {key: list(said.values()) for key, said in newest.items() if said}


async def find_mean_cost(connection: AsyncConnection, project: str, evaluator: str) -> MeanCost:
    """Take the mean over those evaluations of the newest conversations whose cost is known."""
    newest = (
        select(_heads.conversation_key, _heads.revision, _heads.accepted_at)
        .where(_heads.project == project)
        .order_by(_heads.accepted_at.desc(), _heads.conversation_key.desc())
        .limit(NEWEST)
        .subquery()
    )
    theirs = and_(*(newest.c[name] == _said[name] for name in ("conversation_key", "revision", "accepted_at")))
    costs = (
        select(func.count(_said.cost_dollars), func.avg(_said.cost_dollars))
        .join_from(newest, evaluations, theirs)
        .where(_said.evaluator == evaluator, _said.model_calls > 0)
    )
    count, mean = (await connection.execute(costs)).one()
    return MeanCost(count, None if mean is None else float(mean))
