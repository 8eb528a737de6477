"""How is one conversation's part of the store read?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Select, Table, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.bulk import raw_connection
from healing_eval.backends.sql.rows import (
    AnyRow,
    Row,
    Span,
    of_revisions,
    read_evaluation,
    read_issue,
    revision_key,
    span_of,
    turn_id_of,
)
from healing_eval.backends.sql.tables import conversations, evaluations, issues, revisions
from healing_eval.domain.evaluation import Evaluation, Issue
from healing_eval.domain.revision import RevisionKey, StoredRevision
from healing_eval.formats.prefix import join
from healing_eval.ports.ledger import Found, FoundIssue

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Before anything was accepted."""


class _Link(NamedTuple):
    """One of the rows that make up a body, and the revision whose body it is."""

    conversation_key: bytes
    wanted_revision: int
    project: str
    conversation_id: str
    accepted_at: datetime
    complete: bool
    body: bytes


async def load_revisions(
    connection: AsyncConnection, keys: Sequence[RevisionKey], lane_bit: int | None = None
) -> list[StoredRevision]:
    """Load revisions with whole bodies, in the order of the keys.

    With `lane_bit`, only those that are the latest and have this lane outstanding.
    """
    raw = raw_connection(connection)
    if raw is not None:
        links, statuses = await _links_by_arrays(raw, keys, lane_bit)
    else:
        statuses = {} if lane_bit is None else await _outstanding(connection, keys, lane_bit)
        links = await _links(connection, keys if lane_bit is None else list(statuses))
    chains: dict[RevisionKey, list[_Link]] = defaultdict(list)
    for link in links:
        chains[RevisionKey(link.conversation_key, link.wanted_revision)].append(link)
    untouched = {key for key, status in statuses.items() if lane_bit is not None and status == "pending"}
    return [_assemble(key, chains[key], key in untouched) for key in dict.fromkeys(keys) if key in chains]


_Statuses = dict[RevisionKey, str]
"""Of revisions, the status of their conversation."""


async def _outstanding(connection: AsyncConnection, keys: Sequence[RevisionKey], lane_bit: int) -> _Statuses:
    heads = conversations.c
    of_these = of_revisions(connection, conversations, keys)
    found = await connection.execute(
        select(heads.conversation_key, heads.revision, heads.status).where(
            of_these, heads.outstanding.bitwise_and(lane_bit) != 0
        )
    )
    return {revision_key(row): row.status for row in found}


async def _links(connection: AsyncConnection, keys: Sequence[RevisionKey]) -> list[_Link]:
    found = await connection.execute(_LINKS.where(of_revisions(connection, _WANTED, keys)))
    return [_Link(*row) for row in found]


async def _links_by_arrays(
    raw: Any, keys: Sequence[RevisionKey], lane_bit: int | None
) -> tuple[list[_Link], _Statuses]:
    """Do all of it in statements that are written once: the workers load every batch by them."""
    heads = {row["conversation_key"]: row for row in await raw.fetch(_HEADS, [key.conversation_key for key in keys])}
    wanted = [key for key in dict.fromkeys(keys) if key.conversation_key in heads]
    if lane_bit is not None:
        wanted = [key for key in wanted if _waits_for(lane_bit, key, heads[key.conversation_key])]
    if not wanted:
        return [], {}
    theirs = [heads[key.conversation_key] for key in wanted]
    # Of an earlier revision it is not known when it was accepted; hardly anybody asks for one.
    outdated = any(key.revision != head["revision"] for key, head in zip(wanted, theirs, strict=True))
    first = BEGINNING if outdated else min(head["whole_accepted_at"] for head in theirs)
    last = max(head["accepted_at"] for head in theirs)
    links: list[_Link] = []
    growing: list[RevisionKey] = []  # a body that is not whole is put together of several rows; most are whole
    for base, *row in await raw.fetch(_WANTED_BY_ARRAYS, *_arrays(wanted), first, last):
        link = _Link(*row)
        if base is None:
            links.append(link)
        else:
            growing.append(RevisionKey(link.conversation_key, link.wanted_revision))
    if growing:
        links += [_Link(*row) for row in await raw.fetch(_LINKS_BY_ARRAYS, *_arrays(growing), first, last)]
    return links, {key: head["status"] for key, head in zip(wanted, theirs, strict=True)}


def _arrays(keys: Sequence[RevisionKey]) -> tuple[list[bytes], list[int]]:
    return [key.conversation_key for key in keys], [key.revision for key in keys]


def _waits_for(lane_bit: int, key: RevisionKey, head: Any) -> bool:
    return bool(head["revision"] == key.revision and head["outstanding"] & lane_bit)


_WANTED, _LINK = revisions.alias("wanted"), revisions.alias("link")
_LINKS = (
    select(
        _LINK.c.conversation_key,
        _WANTED.c.revision,
        *(_LINK.c[name] for name in ("project", "conversation_id", "accepted_at", "complete", "body")),
    )
    .join(
        _LINK,
        and_(
            _LINK.c.conversation_key == _WANTED.c.conversation_key,
            _LINK.c.revision >= func.coalesce(_WANTED.c.base_revision, _WANTED.c.revision),
            _LINK.c.revision <= _WANTED.c.revision,
            _LINK.c.accepted_at >= func.coalesce(_WANTED.c.base_accepted_at, _WANTED.c.accepted_at),
            _LINK.c.accepted_at <= _WANTED.c.accepted_at,
        ),
    )
    .order_by(_WANTED.c.conversation_key, _WANTED.c.revision, _LINK.c.revision)
)
_HEADS = """
SELECT conversation_key, revision, whole_accepted_at, accepted_at, outstanding, status FROM conversations
WHERE conversation_key = ANY($1)
"""
_WANTED_BY_ARRAYS = """
SELECT wanted.base_revision, wanted.conversation_key, wanted.revision, wanted.project, wanted.conversation_id,
    wanted.accepted_at, wanted.complete, wanted.body
FROM unnest($1::bytea[], $2::integer[]) AS asked (conversation_key, revision)
JOIN revisions AS wanted USING (conversation_key, revision)
WHERE wanted.accepted_at BETWEEN $3 AND $4
"""
_LINKS_BY_ARRAYS = """
SELECT link.conversation_key, wanted.revision, link.project, link.conversation_id, link.accepted_at, link.complete,
    link.body
FROM unnest($1::bytea[], $2::integer[]) AS asked (conversation_key, revision)
JOIN revisions AS wanted USING (conversation_key, revision)
JOIN revisions AS link ON link.conversation_key = wanted.conversation_key
    AND link.revision BETWEEN coalesce(wanted.base_revision, wanted.revision) AND wanted.revision
    AND link.accepted_at BETWEEN coalesce(wanted.base_accepted_at, wanted.accepted_at) AND wanted.accepted_at
WHERE wanted.accepted_at BETWEEN $3 AND $4 AND link.accepted_at BETWEEN $3 AND $4
ORDER BY wanted.conversation_key, wanted.revision, link.revision
"""


def _assemble(key: RevisionKey, chain: Sequence[_Link], untouched: bool) -> StoredRevision:
    body = chain[0].body
    for link in chain[1:]:
        body = join(body, link.body)
    last = chain[-1]
    return StoredRevision(
        revision_key=key,
        project=last.project,
        conversation_id=last.conversation_id,
        accepted_at=last.accepted_at,
        complete=last.complete,
        body=body,
        untouched=untouched,
    )


async def list_evaluations(
    connection: AsyncConnection, keys: Sequence[RevisionKey], span: Span | None = None, evaluators: Sequence[str] = ()
) -> dict[RevisionKey, list[Evaluation]]:
    """List the evaluations of revisions, by evaluator, oldest first; only those of `evaluators` if any are given."""
    if not keys:
        return {}
    found, found_issues = await _runs(connection, keys, span, evaluators)
    by_run: dict[Row, list[Issue]] = defaultdict(list)
    for row in found_issues:
        by_run[_run(row)].append(read_issue(row))
    listed: dict[RevisionKey, list[Evaluation]] = defaultdict(list)
    for row in found:
        listed[revision_key(row)].append(read_evaluation(row, by_run[_run(row)]))
    return dict(listed)


async def _runs(
    connection: AsyncConnection, keys: Sequence[RevisionKey], span: Span | None, evaluators: Sequence[str]
) -> tuple[Sequence[AnyRow], Sequence[AnyRow]]:
    """Find the rows of evaluations, and those of their issues."""
    chosen = of_revisions(connection, evaluations, keys, span)
    defects = of_revisions(connection, issues, keys, span)
    if evaluators:
        chosen &= evaluations.c.evaluator.in_(evaluators)
        defects &= issues.c.evaluator.in_(evaluators)
    in_order = select(evaluations).where(chosen).order_by(evaluations.c.evaluator, evaluations.c.evaluated_at)
    found = (await connection.execute(in_order)).all()
    if not found:
        return (), ()
    return found, (await connection.execute(select(issues).where(defects).order_by(issues.c.ordinal))).all()


def _run(row: AnyRow) -> Row:
    return row.conversation_key, row.revision, row.evaluator, row.version


async def list_found(
    connection: AsyncConnection, revisions: Sequence[StoredRevision], evaluators: Sequence[str]
) -> dict[RevisionKey, dict[str, Found]]:
    """List what each evaluator found last in these revisions."""
    keys, span = [one.revision_key for one in revisions], span_of(one.accepted_at for one in revisions)
    runs = await _rows(connection, _RUNS, keys, span, evaluators)
    done = list(dict.fromkeys(RevisionKey(*row[:2]) for row in runs))
    if not done:
        return {}
    defects: dict[Row, list[FoundIssue]] = defaultdict(list)
    for key, revision, evaluator, version, kind, severity, description, *turn in await _rows(
        connection, _DEFECTS, done, span, evaluators
    ):
        issue = FoundIssue(kind, severity, description, turn_id_of(*turn))
        defects[key, revision, evaluator, version].append(issue)
    found: dict[RevisionKey, dict[str, Found]] = {key: {} for key in done}
    for *run, status in runs:
        key, revision, evaluator, version = run
        found[RevisionKey(key, revision)][evaluator] = Found(version, status, tuple(defects.get(tuple(run), ())))
    return found


class _Asked(NamedTuple):
    """The same question about revisions, once for every database, and once as the workers ask it of PostgreSQL."""

    of: Table
    statement: Select[Any]
    by_arrays: str


async def _rows(
    connection: AsyncConnection, asked: _Asked, keys: Sequence[RevisionKey], span: Span, evaluators: Sequence[str]
) -> Sequence[AnyRow]:
    raw = raw_connection(connection)
    if raw is not None:
        return cast("Sequence[AnyRow]", await raw.fetch(asked.by_arrays, *_arrays(keys), *span, evaluators))
    theirs = of_revisions(connection, asked.of, keys, span) & asked.of.c.evaluator.in_(evaluators)
    return (await connection.execute(asked.statement.where(theirs))).all()


_RUN = ("conversation_key", "revision", "evaluator", "version")
_RUNS = _Asked(
    evaluations,
    select(*(evaluations.c[name] for name in (*_RUN, "status"))).order_by(evaluations.c.evaluated_at),
    """
SELECT said.conversation_key, said.revision, said.evaluator, said.version, said.status
FROM unnest($1::bytea[], $2::integer[]) AS asked (conversation_key, revision)
JOIN evaluations AS said USING (conversation_key, revision)
WHERE said.accepted_at BETWEEN $3 AND $4 AND said.evaluator = ANY($5::text[])
ORDER BY said.evaluated_at
""",
)
_TOLD = ("type", "severity", "description", "turn_id", "turn_id_is_number")
_DEFECTS = _Asked(
    issues,
    select(*(issues.c[name] for name in (*_RUN, *_TOLD))).order_by(issues.c.ordinal),
    """
SELECT found.conversation_key, found.revision, found.evaluator, found.version,
    found.type, found.severity, found.description, found.turn_id, found.turn_id_is_number
FROM unnest($1::bytea[], $2::integer[]) AS asked (conversation_key, revision)
JOIN issues AS found USING (conversation_key, revision)
WHERE found.accepted_at BETWEEN $3 AND $4 AND found.evaluator = ANY($5::text[])
ORDER BY found.ordinal
""",
)
