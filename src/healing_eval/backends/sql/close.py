"""How does a lane's work end? With results stored exactly once, or given up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.bulk import Lane, clear_bit, insert_rows, raw_connection
from healing_eval.backends.sql.rows import (
    AnyRow,
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
from healing_eval.domain.evaluation import Evaluation, Verdict
from healing_eval.domain.revision import RevisionKey
from healing_eval.domain.storable import storable
from healing_eval.domain.verdict import Opinion
from healing_eval.ports.ledger import Decide, LaneResult


async def close_lane(
    connection: AsyncConnection, lane: Lane, results: Sequence[LaneResult], decide: Decide, now: datetime | None
) -> list[RevisionKey]:
    """Store results for the revisions that wait for this lane, and rewrite their verdicts."""
    found = {result.revision_key: result.evaluations for result in results}
    closed = await clear_bit(connection, lane, list(found), None, now)
    if not closed:
        return []
    before = await _opinions_before(connection, [one.place for one in closed if not one.first])
    await _make_way_for_the_same(connection, [one.place for one in closed], found, before)
    pairs = [(one.place, evaluation) for one in closed for evaluation in found[one.place.key]]
    at = closed[0].at  # of the transaction
    await insert_rows(connection, evaluations, [evaluation_row(place, lane.name, one, at) for place, one in pairs])
    await insert_rows(connection, issues, [row for place, one in pairs for row in issue_rows(place, one)])
    rows: list[Row] = []
    for one in closed:
        everything = [*before.get(one.place.key, ()), *map(Opinion.of, found[one.place.key])]
        rows.append(verdict_row(one.place, decide(everything, one.final), at))
    await insert_rows(connection, verdicts, rows)
    return [one.place.key for one in closed]


async def _make_way_for_the_same(
    connection: AsyncConnection,
    places: Sequence[RevisionPlace],
    found: Mapping[RevisionKey, Sequence[Evaluation]],
    before: dict[RevisionKey, list[Opinion]],
) -> None:
    """Delete what evaluators said before that say something again, as after their lane was opened again."""
    again: list[RevisionPlace] = []
    speaking: set[str] = set()
    for place in places:
        names, known = {one.evaluator for one in found[place.key]}, before.get(place.key, [])
        if any(one.evaluator in names for one in known):
            again.append(place)
            speaking |= names
            before[place.key] = [one for one in known if one.evaluator not in names]
    if again:
        keys, span = [place.key for place in again], span_of(place.accepted_at for place in again)
        for table in (evaluations, issues):
            theirs = of_revisions(connection, table, keys, span)
            await connection.execute(delete(table).where(theirs, table.c.evaluator.in_(speaking)))


async def _opinions_before(
    connection: AsyncConnection, places: Sequence[RevisionPlace]
) -> dict[RevisionKey, list[Opinion]]:
    """Tell what other lanes think, by evaluator, oldest first, and make way for new verdicts."""
    before: dict[RevisionKey, list[Opinion]] = defaultdict(list)
    if places:
        for key, revision, evaluator, overall, reason, is_critical in await _opinion_rows(connection, places):
            before[RevisionKey(key, revision)].append(Opinion(evaluator, overall, reason or "", bool(is_critical)))
    return before


async def _opinion_rows(connection: AsyncConnection, places: Sequence[RevisionPlace]) -> Iterable[AnyRow]:
    keys, span = [place.key for place in places], span_of(place.accepted_at for place in places)
    raw = raw_connection(connection)
    if raw is not None:
        return await raw.fetch(_MAKE_WAY, [key.conversation_key for key in keys], [key.revision for key in keys], *span)
    # Delete and insert is an upsert in words that every dialect knows.
    await connection.execute(delete(verdicts).where(of_revisions(connection, verdicts, keys, span)))
    return await connection.execute(_OPINIONS.where(of_revisions(connection, evaluations, keys, span)))


_CRITICAL = evaluations.c.deterministic & exists().where(
    *(evaluations.c[name] == issues.c[name] for name in ("conversation_key", "revision", "accepted_at")),
    *(evaluations.c[name] == issues.c[name] for name in ("evaluator", "version")),
    issues.c.severity == "critical",
)
_OPINIONS = select(
    *(evaluations.c[name] for name in ("conversation_key", "revision", "evaluator", "overall", "reason")), _CRITICAL
).order_by(evaluations.c.evaluator, evaluations.c.evaluated_at)
# What is critical is looked for once for each revision, not once for each of its evaluations.
_MAKE_WAY = """
WITH asked AS (SELECT * FROM unnest($1::bytea[], $2::integer[]) AS asked (conversation_key, revision)),
gone AS (
    DELETE FROM verdicts USING asked
    WHERE verdicts.conversation_key = asked.conversation_key AND verdicts.revision = asked.revision
        AND verdicts.accepted_at BETWEEN $3 AND $4
),
grave AS MATERIALIZED (
    SELECT asked.*, ARRAY(
        SELECT issues.evaluator || E'\\n' || issues.version FROM issues
        WHERE issues.conversation_key = asked.conversation_key AND issues.revision = asked.revision
            AND issues.accepted_at BETWEEN $3 AND $4 AND issues.severity = 'critical'
    ) AS found_by FROM asked
)
SELECT done.conversation_key, done.revision, done.evaluator, done.overall, done.reason,
    done.deterministic AND done.evaluator || E'\\n' || done.version = ANY(grave.found_by)
FROM grave
JOIN evaluations AS done USING (conversation_key, revision)
WHERE done.accepted_at BETWEEN $3 AND $4
ORDER BY done.evaluator, done.evaluated_at
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
