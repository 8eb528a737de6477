"""Which conversations match? Every filter is applied by the database, and lists go on by keyset."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.cursor import Cursor, read_cursor, write_cursor
from healing_eval.backends.sql.tables import conversations, evaluations, issues, verdicts
from healing_eval.domain.conversation import conversation_key
from healing_eval.domain.issue_types import SEVERITIES
from healing_eval.domain.query import MAX_PAGE, ConversationFilter, EvaluationQuery
from healing_eval.domain.storable import storable
from healing_eval.errors import InvalidInput

Rows = tuple[list[Any], str | None]
"""A page of rows, and the cursor of the next."""

Condition = ColumnElement[bool]

CLOCK_SET_BACK_BY = timedelta(days=1)
"""More than the store's clock is ever set back, as when another server takes over."""


class Order(msgspec.Struct, frozen=True):
    """What a list is sorted by; equals are sorted by key."""

    name: str
    column: Any
    key: Any
    kind: Any
    descending: bool = False

    def apply(self, statement: Select[Any]) -> Select[Any]:
        """Sort by column and key."""
        columns = (self.column, self.key)
        return statement.order_by(*(one.desc() if self.descending else one.asc() for one in columns))

    def after(self, cursor: Cursor) -> Condition:
        """Select what comes after the last item of a page, among what has a value or what has none."""
        beyond_key = self.key < cursor.key if self.descending else self.key > cursor.key
        if cursor.value is None:
            return beyond_key
        column = self.column
        beyond = column < cursor.value if self.descending else column > cursor.value
        return or_(beyond, and_(column == cursor.value, beyond_key))

    def cursor_of(self, row: Any) -> str:
        """Write the cursor that goes on after a row."""
        return write_cursor(Cursor(self.name, getattr(row, self.column.name), row.conversation_key))


async def find_heads(connection: AsyncConnection, project: str, chosen: ConversationFilter) -> Rows:
    """Find conversations, newest first.

    Raises:
        InvalidInput: the cursor or the limit is none.
    """
    table = conversations.c
    order = Order("accepted", table.accepted_at, table.conversation_key, datetime, descending=True)
    conditions = [
        table.project == project,
        *_among(table.status, chosen.status),
        *_among(table.agent_version, chosen.agent_versions),
        *_between(table.accepted_at, chosen.accepted_from, chosen.accepted_before),
    ]
    limit = _checked(chosen.limit)
    if chosen.cursor is not None:
        conditions.append(order.after(read_cursor(chosen.cursor, order.name, order.kind)))
    statement = order.apply(select(conversations).where(*conditions)).limit(limit + 1)
    return _page((await connection.execute(statement)).all(), order, limit)


async def find_verdicts(connection: AsyncConnection, project: str, query: EvaluationQuery) -> Rows:
    """Find the latest revisions that have a verdict, each row the head and the verdict together.

    Raises:
        InvalidInput: the cursor or the limit is none.
    """
    order, limit = _order_of(query), _checked(query.limit)
    statement = _latest_verdicts().where(*_conditions(project, query))
    cursor = None if query.cursor is None else read_cursor(query.cursor, order.name, order.kind)
    found: list[Any] = []
    for part in _parts(query, order, cursor):
        still = limit + 1 - len(found)
        if still > 0:
            found += (await connection.execute(order.apply(statement.where(part)).limit(still))).all()
    return _page(found, order, limit)


_HEAD_ONLY = ("revision", "conversation_id", "agent_version", "status", "turn_count", "outstanding", "failed_because")


def _latest_verdicts() -> Select[Any]:
    head = [conversations.c[name] for name in _HEAD_ONLY]
    verdict = [one for one in verdicts.c if one.name not in _HEAD_ONLY]
    return select(*head, *verdict).join_from(
        verdicts,
        conversations,
        and_(
            conversations.c.conversation_key == verdicts.c.conversation_key,
            conversations.c.revision == verdicts.c.revision,
            conversations.c.accepted_at == verdicts.c.accepted_at,
        ),
    )


def _order_of(query: EvaluationQuery) -> Order:
    name = query.sort.removeprefix("-")
    kind = datetime if name == "evaluated_at" else float | None
    return Order(query.sort, verdicts.c[name], verdicts.c.conversation_key, kind, descending=query.sort.startswith("-"))


def _parts(query: EvaluationQuery, order: Order, cursor: Cursor | None) -> list[Condition]:
    """Split the list in what has a value and what has none: the latter come last in any order, and an index serves."""
    without_value = query.sort in ("overall", "-overall") and query.min_overall is None and query.max_overall is None
    if cursor is None:
        parts = [order.column.is_not(None)]
    elif cursor.value is None:
        return [and_(order.column.is_(None), order.after(cursor))]
    else:
        parts = [and_(order.column.is_not(None), order.after(cursor))]
    return [*parts, order.column.is_(None)] if without_value else parts


def _conditions(project: str, query: EvaluationQuery) -> list[Condition]:
    keys = [conversation_key(project, one) for one in query.conversation_ids]
    found = verdicts.c
    return [
        found.project == project,
        *_among(found.conversation_key, keys),
        *_among(conversations.c.agent_version, query.agent_versions),
        *_between(found.evaluated_at, query.evaluated_from, query.evaluated_before),
        *_accepted_before(query.evaluated_before),
        *([] if query.min_overall is None else [found.overall >= query.min_overall]),
        *([] if query.max_overall is None else [found.overall <= query.max_overall]),
        *_among(found.outcome, query.outcome),
        *(_measured_by(name) for name in query.evaluators),
        *_issue_conditions(query),
    ]


def _accepted_before(evaluated_before: datetime | None) -> list[Condition]:
    """Leave out the months after: what was evaluated was accepted before, unless the clock was set back meanwhile."""
    return [] if evaluated_before is None else [verdicts.c.accepted_at < evaluated_before + CLOCK_SET_BACK_BY]


def _measured_by(evaluator: str) -> Condition:
    rows = evaluations.c
    return exists().where(*_same_revision(rows), rows.evaluator == storable(evaluator), rows.status == "measured")


def _issue_conditions(query: EvaluationQuery) -> list[Condition]:
    rows = issues.c
    conditions: list[Condition] = []
    if query.has_issues is not None:
        any_issue = exists().where(*_same_revision(rows))
        conditions.append(any_issue if query.has_issues else ~any_issue)
    wanted = list(_among(rows.type, query.issue_types))
    if query.min_severity is not None:
        wanted += _among(rows.severity, SEVERITIES[SEVERITIES.index(query.min_severity) :])
    if wanted:
        conditions.append(exists().where(*_same_revision(rows), *wanted))
    return conditions


def _same_revision(rows: Any) -> list[Condition]:
    return [rows[name] == verdicts.c[name] for name in ("conversation_key", "revision", "accepted_at")]


def _among(column: Any, values: Sequence[Any]) -> list[Condition]:
    if not values:
        return []
    return [column.in_([storable(one) if isinstance(one, str) else one for one in values])]


def _between(column: Any, first: datetime | None, before: datetime | None) -> list[Condition]:
    conditions = [] if first is None else [column >= first]
    return conditions if before is None else [*conditions, column < before]


def _checked(limit: int) -> int:
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput(f"must be 1 to {MAX_PAGE}, got {limit}", pointer="/limit")
    return limit


def _page(found: Sequence[Any], order: Order, limit: int) -> Rows:
    rows = list(found[:limit])
    return rows, order.cursor_of(rows[-1]) if len(found) > limit else None
