"""How does a value become a row, and a row a value again? Nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    and_,
    any_,
    bindparam,
    func,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.types import as_json
from healing_eval.domain.annotation import Annotation
from healing_eval.domain.conversation import TurnId, bucket_of
from healing_eval.domain.evaluation import (
    Abstention,
    Evaluation,
    Failure,
    Findings,
    Issue,
    Missing,
    ModelUse,
    ModelVote,
    Result,
    Score,
    Verdict,
)
from healing_eval.domain.revision import RevisionKey
from healing_eval.domain.storable import storable

Values = dict[str, Any]
"""One row to be written, by column."""

Row = tuple[Any, ...]
"""One row to be written, in the order of the table's columns, texts storable and JSON written already."""

AnyConnection = AsyncConnection | Connection

AnyRow = Any
"""A row that was read; its type depends on the statement."""


class RevisionPlace(msgspec.Struct, frozen=True):
    """Where the rows of one revision belong: their common part of every primary key, and the project."""

    key: RevisionKey
    accepted_at: datetime
    project: str

    @property
    def start(self) -> Row:
        """What every row of the revision begins with."""
        return self.key.conversation_key, self.key.revision, self.accepted_at

    @property
    def bucket(self) -> int:
        """What every row of the revision ends with."""
        return bucket_of(self.key.conversation_key)


def revision_key(row: AnyRow) -> RevisionKey:
    """Read which revision a row belongs to."""
    return RevisionKey(row.conversation_key, row.revision)


def of_conversations(connection: AnyConnection, table: Any, keys: Iterable[bytes]) -> ColumnElement[bool]:
    """Select the rows of these conversations."""
    column = table.c.conversation_key
    if connection.dialect.name != "postgresql":
        return column.in_(set(keys))
    return column == any_(bindparam(None, list(set(keys)), ARRAY(LargeBinary)))


Span = tuple[datetime, datetime]
"""From when to when revisions were accepted, both included: PostgreSQL then looks at the months in between only."""


def span_of(moments: Iterable[datetime]) -> Span:
    """Tell from when to when these moments are; there is at least one."""
    known = list(moments)
    return min(known), max(known)


def of_revisions(
    connection: AnyConnection, table: Any, keys: Iterable[RevisionKey], span: Span | None = None
) -> ColumnElement[bool]:
    """Select the rows of these revisions.

    SQLite finds pairs through no index, so the parts of the pairs are named as well. PostgreSQL gets two arrays, so
    that the statement is the same for any number of revisions.
    """
    pairs = {(key.conversation_key, key.revision) for key in keys}
    conversation, revision = table.c.conversation_key, table.c.revision
    if connection.dialect.name != "postgresql":
        return and_(
            conversation.in_({key for key, _ in pairs}),
            revision.in_({number for _, number in pairs}),
            tuple_(conversation, revision).in_(pairs),
        )
    ordered = sorted(pairs)
    wanted = (
        func.unnest(
            bindparam(None, [key for key, _ in ordered], ARRAY(LargeBinary)),
            bindparam(None, [number for _, number in ordered], ARRAY(Integer)),
        )
        .table_valued("conversation_key", "revision", name="wanted")
        .render_derived()
    )
    chosen = tuple_(conversation, revision).in_(select(wanted.c.conversation_key, wanted.c.revision))
    return chosen if span is None else and_(chosen, table.c.accepted_at.between(*span))


def evaluation_row(place: RevisionPlace, lane: str, evaluation: Evaluation, now: datetime) -> Row:
    """Write an evaluation, its issues aside."""
    use = evaluation.model_use
    return (
        *place.start,
        evaluation.evaluator,
        evaluation.version,
        lane,
        *_result_columns(evaluation.result),
        evaluation.deterministic,
        evaluation.latency_seconds,
        *(_NO_MODEL if use is None else _use_columns(use)),
        None if evaluation.inclusion_probability == 1 else evaluation.inclusion_probability,
        evaluation.evaluated_at or now,
        place.bucket,
    )


_NO_MODEL = (None,) * 12


def _use_columns(use: ModelUse) -> Row:
    """Write the columns from `model` to `votes`."""
    counted = use.input_tokens, use.output_tokens, use.calls, use.cached_input_tokens
    served = free(use.provider), use.deployment, use.requests, use.seconds, use.prompt_version
    return free(use.model), *counted, use.cost_dollars, *served, as_json(use.votes) if use.votes else None


def _result_columns(result: Result) -> Row:
    """Write the columns from `status` to `raw_answer`."""
    if isinstance(result, Findings):
        found = result.overall, result.confidence, free(result.explanation), as_json(result.scores)
        return "measured", *found, None, None, None, None
    if isinstance(result, Abstention):
        return "abstained", None, None, None, None, free(result.reason), None, None, None
    failure = free(result.reason), result.kind, result.retryable, free(result.raw_answer)
    return "failed", None, None, None, None, *failure


def issue_rows(place: RevisionPlace, evaluation: Evaluation) -> list[Row]:
    """Write the issues of an evaluation."""
    if not (isinstance(evaluation.result, Findings) and evaluation.result.issues):
        return []
    start, bucket = (*place.start, evaluation.evaluator, evaluation.version), place.bucket
    return [
        (
            *start,
            ordinal,
            issue.type,
            issue.severity,
            storable(issue.signature),
            storable(issue.description),
            *_turn_columns(issue.turn_id),
            free(issue.tool_name),
            free(issue.argument),
            free(issue.evidence),
            bucket,
        )
        for ordinal, issue in enumerate(evaluation.result.issues)
    ]


def verdict_row(place: RevisionPlace, verdict: Verdict, now: datetime) -> Row:
    """Write a verdict."""
    return (
        *place.start,
        place.project,
        verdict.overall,
        verdict.outcome,
        as_json(verdict.missing),
        as_json(verdict.weights),
        verdict.final,
        now,
        place.bucket,
    )


def annotation_row(key: bytes, ordinal: int, annotation: Annotation, now: datetime) -> Row:
    """Write an annotation."""
    return (
        key,
        ordinal,
        storable(annotation.type),
        as_json(annotation.label),
        storable(annotation.annotator_id),
        *_turn_columns(annotation.turn_id),
        annotation.confidence,
        free(annotation.notes),
        annotation.created_at or now,
        bucket_of(key),
    )


def free(text: str | None) -> str | None:
    """Write text that may be missing."""
    return None if text is None else storable(text)


def _turn_columns(turn_id: TurnId | None) -> tuple[str | None, bool | None]:
    if turn_id is None:
        return None, None
    return (str(turn_id), True) if isinstance(turn_id, int) else (storable(turn_id), False)


def turn_id_of(text: str | None, is_number: bool | None) -> TurnId | None:
    """Read a turn's id from its two columns."""
    return int(text) if is_number and text is not None else text


def read_evaluation(row: AnyRow, issues: Sequence[Issue]) -> Evaluation:
    """Read an evaluation from its row and its issues."""
    use = None
    if row.model is not None:
        use = ModelUse(
            row.model,
            row.input_tokens,
            row.output_tokens,
            row.model_calls,
            row.cached_input_tokens,
            row.cost_dollars,
            row.provider,
            row.deployment,
            row.model_requests,
            row.model_seconds,
            row.prompt_version,
            () if row.votes is None else msgspec.convert(row.votes, tuple[ModelVote, ...]),
        )
    return Evaluation(
        conversation_key=row.conversation_key,
        evaluator=row.evaluator,
        version=row.version,
        result=_read_result(row, issues),
        deterministic=row.deterministic,
        latency_seconds=row.latency_seconds,
        model_use=use,
        evaluated_at=row.evaluated_at,
        inclusion_probability=1.0 if row.inclusion_probability is None else row.inclusion_probability,
    )


def _read_result(row: AnyRow, issues: Sequence[Issue]) -> Result:
    if row.status == "measured":
        scores = msgspec.convert(row.scores, tuple[Score, ...])
        return Findings(row.overall, scores, tuple(issues), row.explanation, row.confidence)
    if row.status == "abstained":
        return Abstention(row.reason)
    return Failure(row.reason, row.failure_kind, row.retryable, row.raw_answer)


def read_issue(row: AnyRow) -> Issue:
    """Read an issue."""
    return Issue(
        type=row.type,
        severity=row.severity,
        description=row.description,
        signature=row.signature,
        turn_id=turn_id_of(row.turn_id, row.turn_id_is_number),
        tool_name=row.tool_name,
        argument=row.argument,
        evidence=row.evidence,
    )


def read_verdict(row: AnyRow) -> Verdict:
    """Read a verdict."""
    return Verdict(row.overall, row.outcome, msgspec.convert(row.missing, tuple[Missing, ...]), row.weights, row.final)


def read_annotation(row: AnyRow) -> Annotation:
    """Read an annotation."""
    return Annotation(
        type=row.type,
        label=row.label,
        annotator_id=row.annotator_id,
        turn_id=turn_id_of(row.turn_id, row.turn_id_is_number),
        confidence=row.confidence,
        notes=row.notes,
        created_at=row.created_at,
    )
