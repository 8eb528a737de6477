"""How is one conversation's part of the store read?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.rows import (
    Span,
    of_conversations,
    of_revisions,
    read_evaluation,
    read_issue,
    revision_key,
)
from healing_eval.backends.sql.tables import conversations, evaluations, issues, revisions
from healing_eval.domain.evaluation import Evaluation, Issue
from healing_eval.domain.revision import RevisionKey, StoredRevision
from healing_eval.formats.prefix import join

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Before anything was accepted."""


async def load_revisions(connection: AsyncConnection, keys: Sequence[RevisionKey]) -> list[StoredRevision]:
    """Load revisions with whole bodies, in the order of the keys."""
    wanted, link = revisions.alias("wanted"), revisions.alias("link")
    follows = [
        link.c.conversation_key == wanted.c.conversation_key,
        link.c.revision >= func.coalesce(wanted.c.base_revision, wanted.c.revision),
        link.c.revision <= wanted.c.revision,
        link.c.accepted_at >= func.coalesce(wanted.c.base_accepted_at, wanted.c.accepted_at),
        link.c.accepted_at <= wanted.c.accepted_at,
    ]
    span = None
    if connection.dialect.name == "postgresql":
        span = await _accepted_between(connection, keys)
        if span is None:
            return []
        follows.append(link.c.accepted_at.between(*span))
    found = await connection.execute(
        select(wanted.c.revision.label("wanted_revision"), link)
        .join(link, and_(*follows))
        .where(of_revisions(connection, wanted, keys, span))
        .order_by(wanted.c.conversation_key, wanted.c.revision, link.c.revision)
    )
    chains: dict[RevisionKey, list[Any]] = defaultdict(list)
    for row in found:
        chains[RevisionKey(row.conversation_key, row.wanted_revision)].append(row)
    return [_assemble(key, chains[key]) for key in dict.fromkeys(keys) if key in chains]


async def _accepted_between(connection: AsyncConnection, keys: Sequence[RevisionKey]) -> Span | None:
    """Learn from the heads in which months to look; None if there are none."""
    head = conversations.c
    found = await connection.execute(
        select(head.conversation_key, head.revision, head.whole_accepted_at, head.accepted_at).where(
            of_conversations(connection, conversations, [key.conversation_key for key in keys])
        )
    )
    latest: dict[bytes, Any] = {row.conversation_key: row for row in found}
    if not latest:
        return None
    # Of an earlier revision it is not known when it was accepted; hardly anybody asks for one.
    outdated = any(
        key.revision != latest[key.conversation_key].revision for key in keys if key.conversation_key in latest
    )
    first = BEGINNING if outdated else min(row.whole_accepted_at for row in latest.values())
    return first, max(row.accepted_at for row in latest.values())


def _assemble(key: RevisionKey, chain: Sequence[Any]) -> StoredRevision:
    body: bytes = chain[0].body
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
    )


async def list_evaluations(
    connection: AsyncConnection, keys: Sequence[RevisionKey], span: Span | None = None, evaluators: Sequence[str] = ()
) -> dict[RevisionKey, list[Evaluation]]:
    """List the evaluations of revisions, by evaluator, oldest first; only those of `evaluators` if any are given."""
    if not keys:
        return {}
    chosen = of_revisions(connection, evaluations, keys, span)
    defects = of_revisions(connection, issues, keys, span)
    if evaluators:
        chosen &= evaluations.c.evaluator.in_(evaluators)
        defects &= issues.c.evaluator.in_(evaluators)
    found = (
        await connection.execute(
            select(evaluations).where(chosen).order_by(evaluations.c.evaluator, evaluations.c.evaluated_at)
        )
    ).all()
    found_issues: dict[tuple[Any, ...], list[Issue]] = defaultdict(list)
    if found:
        for row in await connection.execute(select(issues).where(defects).order_by(issues.c.ordinal)):
            found_issues[_run(row)].append(read_issue(row))
    listed: dict[RevisionKey, list[Evaluation]] = defaultdict(list)
    for row in found:
        listed[revision_key(row)].append(read_evaluation(row, found_issues[_run(row)]))
    return dict(listed)


def _run(row: Any) -> tuple[Any, ...]:
    return row.conversation_key, row.revision, row.evaluator, row.version
