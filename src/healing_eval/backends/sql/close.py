"""How does a lane's work end? With results stored exactly once, or given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.bulk import Lane, clear_bit, insert_rows, raw_connection
from healing_eval.backends.sql.read import list_evaluations
from healing_eval.backends.sql.rows import (
    RevisionPlace,
    Row,
    evaluation_row,
    issue_rows,
    of_revisions,
    revision_key,
    span_of,
    verdict_row,
)
from healing_eval.backends.sql.tables import conversations, evaluations, issues, verdicts
from healing_eval.backends.sql.types import storable
from healing_eval.domain.evaluation import Evaluation, Verdict
from healing_eval.domain.revision import RevisionKey
from healing_eval.ports.ledger import Decide, LaneResult


async def close_lane(
    connection: AsyncConnection, lane: Lane, results: Sequence[LaneResult], decide: Decide, now: datetime | None
) -> list[RevisionKey]:
    """Store results for the revisions that wait for this lane, and rewrite their verdicts."""
    found = {result.revision_key: result.evaluations for result in results}
    closed = await clear_bit(connection, lane, list(found), None, now)
    if not closed:
        return []
    before = await _evaluations_before(connection, [one.place for one in closed if not one.first])
    pairs = [(one.place, evaluation) for one in closed for evaluation in found[one.place.key]]
    at = closed[0].at  # of the transaction
    await insert_rows(connection, evaluations, [evaluation_row(place, lane.name, one, at) for place, one in pairs])
    await insert_rows(connection, issues, [row for place, one in pairs for row in issue_rows(place, one)])
    rows: list[Row] = []
    for one in closed:
        everything = [*before.get(one.place.key, ()), *found[one.place.key]]
        rows.append(verdict_row(one.place, decide(everything, one.final), at))
    await insert_rows(connection, verdicts, rows)
    return [one.place.key for one in closed]


async def _evaluations_before(
    connection: AsyncConnection, places: Sequence[RevisionPlace]
) -> dict[RevisionKey, list[Evaluation]]:
    """List what other lanes found, and make way for new verdicts."""
    if not places:
        return {}
    keys, span = [place.key for place in places], span_of(place.accepted_at for place in places)
    # Delete and insert is an upsert in words that every dialect knows.
    raw = raw_connection(connection)
    if raw is None:
        await connection.execute(delete(verdicts).where(of_revisions(connection, verdicts, keys, span)))
    else:
        await raw.execute(_MAKE_WAY, [key.conversation_key for key in keys], [key.revision for key in keys], *span)
    return await list_evaluations(connection, keys, span)


_MAKE_WAY = """
DELETE FROM verdicts USING unnest($1::bytea[], $2::integer[]) AS old (conversation_key, revision)
WHERE verdicts.conversation_key = old.conversation_key AND verdicts.revision = old.revision
    AND verdicts.accepted_at BETWEEN $3 AND $4
"""


async def give_up(
    connection: AsyncConnection, lane: Lane, keys: Sequence[RevisionKey], reason: str, now: datetime | None
) -> None:
    """Close a lane without results; what no other lane works on is settled with what there is."""
    closed = await clear_bit(connection, lane, keys, storable(f"{lane.name}: {reason}"), now)
    settled = [one.place for one in closed if one.final]
    if not settled:
        return
    span = span_of(place.accepted_at for place in settled)
    theirs = of_revisions(connection, verdicts, [place.key for place in settled], span)
    await connection.execute(update(verdicts).where(theirs).values(final=True))
    judged = {revision_key(row) for row in await connection.execute(select(verdicts).where(theirs))}
    nothing = Verdict(overall=None, outcome="unknown", final=True)
    rows = [verdict_row(place, nothing, closed[0].at) for place in settled if place.key not in judged]
    await insert_rows(connection, verdicts, rows)


async def reopen(connection: AsyncConnection, lane: Lane, keys: Sequence[RevisionKey]) -> list[RevisionKey]:
    """Set the lane's bit again where the revision is the latest and was given up by this lane."""
    heads = conversations.c
    given_up = heads.failed_because.startswith(f"{lane.name}: ", autoescape=True)
    opened = await connection.execute(
        update(conversations)
        .where(of_revisions(connection, conversations, keys), given_up, heads.outstanding.bitwise_and(lane.bit) == 0)
        .values(outstanding=heads.outstanding + lane.bit, status="evaluating", failed_because=None)
        .returning(heads.conversation_key, heads.revision)
    )
    return [revision_key(row) for row in opened]
