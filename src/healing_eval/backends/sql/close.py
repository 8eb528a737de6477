"""How does a lane's work end? With results stored exactly once, or given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, delete, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.read import list_evaluations
from healing_eval.backends.sql.rows import (
    RevisionPlace,
    evaluation_values,
    issue_values,
    of_revisions,
    revision_key,
    verdict_values,
)
from healing_eval.backends.sql.tables import conversations, evaluations, issues, verdicts
from healing_eval.backends.sql.types import storable
from healing_eval.domain.evaluation import Evaluation, Verdict
from healing_eval.domain.revision import RevisionKey
from healing_eval.ports.ledger import Decide, LaneResult

_heads = conversations.c


class Lane:
    """A lane's name and its bit."""

    def __init__(self, name: str, bit: int) -> None:
        self.name = name
        self.bit = bit


Closed = tuple[RevisionPlace, bool]
"""A revision whose lane was closed just now, and whether no other is outstanding."""


async def close_lane(
    connection: AsyncConnection, lane: Lane, results: Sequence[LaneResult], decide: Decide, now: datetime
) -> list[RevisionKey]:
    """Store results for the revisions that wait for this lane, and rewrite their verdicts."""
    found = {result.revision_key: result.evaluations for result in results}
    closed = await _clear_bit(connection, lane, list(found), {})
    if not closed:
        return []
    places = [place for place, _ in closed]
    before = await list_evaluations(connection, [place.key for place in places])
    await _store(connection, lane, {place: found[place.key] for place in places}, now)
    rows: list[dict[str, Any]] = []
    for place, final in closed:
        everything = [*before.get(place.key, ()), *found[place.key]]
        rows.append(verdict_values(place, decide(everything, final), now))
    # Delete and insert is an upsert in words that every dialect knows.
    await connection.execute(delete(verdicts).where(of_revisions(verdicts, [place.key for place in places])))
    await connection.execute(insert(verdicts), rows)
    return [place.key for place in places]


async def give_up(
    connection: AsyncConnection, lane: Lane, keys: Sequence[RevisionKey], reason: str, now: datetime
) -> None:
    """Close a lane without results; what no other lane works on is settled with what there is."""
    closed = await _clear_bit(connection, lane, keys, {"failed_because": storable(f"{lane.name}: {reason}")})
    settled = [place for place, final in closed if final]
    if not settled:
        return
    theirs = of_revisions(verdicts, [place.key for place in settled])
    await connection.execute(update(verdicts).where(theirs).values(final=True))
    judged = {revision_key(row) for row in await connection.execute(select(verdicts).where(theirs))}
    nothing = Verdict(overall=None, outcome="unknown", final=True)
    rows = [verdict_values(place, nothing, now) for place in settled if place.key not in judged]
    if rows:
        await connection.execute(insert(verdicts), rows)


async def reopen(connection: AsyncConnection, lane: Lane, keys: Sequence[RevisionKey]) -> list[RevisionKey]:
    """Set the lane's bit again where the revision is the latest and was given up by this lane."""
    given_up = _heads.failed_because.startswith(f"{lane.name}: ", autoescape=True)
    opened = await connection.execute(
        update(conversations)
        .where(of_revisions(conversations, keys), given_up, _heads.outstanding.bitwise_and(lane.bit) == 0)
        .values(outstanding=_heads.outstanding + lane.bit, status="evaluating", failed_because=None)
        .returning(_heads.conversation_key, _heads.revision)
    )
    return [revision_key(row) for row in opened]


async def _clear_bit(
    connection: AsyncConnection, lane: Lane, keys: Sequence[RevisionKey], also: dict[str, Any]
) -> list[Closed]:
    """Clear the lane's bit where the revision is the latest and the bit is set: the fence that makes it once only."""
    is_last = _heads.outstanding == lane.bit
    failed = true() if also else _heads.failed_because.is_not(None)
    cleared = await connection.execute(
        update(conversations)
        .where(of_revisions(conversations, keys), _heads.outstanding.bitwise_and(lane.bit) != 0)
        .values(
            outstanding=_heads.outstanding - lane.bit,
            status=case((and_(is_last, failed), "failed"), (is_last, "done"), else_="evaluating"),
            **also,
        )
        .returning(_heads.conversation_key, _heads.revision, _heads.accepted_at, _heads.project, _heads.outstanding)
    )
    return [(RevisionPlace(revision_key(row), row.accepted_at, row.project), row.outstanding == 0) for row in cleared]


async def _store(
    connection: AsyncConnection, lane: Lane, found: dict[RevisionPlace, tuple[Evaluation, ...]], now: datetime
) -> None:
    pairs = [(place, one) for place, some in found.items() for one in some]
    if pairs:
        rows = [evaluation_values(place, lane.name, one, now) for place, one in pairs]
        await connection.execute(insert(evaluations), rows)
    defects = [row for place, one in pairs for row in issue_values(place, one)]
    if defects:
        await connection.execute(insert(issues), defects)
