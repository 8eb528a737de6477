"""How does a value become a row, and a row a value again? Nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, tuple_

from healing_eval.backends.sql.types import storable_json
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
    Result,
    Score,
    Verdict,
)
from healing_eval.domain.revision import RevisionKey

Values = dict[str, Any]
"""One row to be written, by column."""

AnyRow = Any
"""A row that was read; its type depends on the statement."""


class RevisionPlace(msgspec.Struct, frozen=True):
    """Where the rows of one revision belong: their common part of every primary key, and the project."""

    key: RevisionKey
    accepted_at: datetime
    project: str

    def values(self) -> Values:
        """The columns that every row of the revision has."""
        return {
            "conversation_key": self.key.conversation_key,
            "revision": self.key.revision,
            "accepted_at": self.accepted_at,
            "bucket": bucket_of(self.key.conversation_key),
        }


def revision_key(row: AnyRow) -> RevisionKey:
    """Read which revision a row belongs to."""
    return RevisionKey(row.conversation_key, row.revision)


def of_revisions(table: Any, keys: Iterable[RevisionKey]) -> ColumnElement[bool]:
    """Select the rows of these revisions.

    SQLite finds pairs through no index, so the parts of the pairs are named as well.
    """
    pairs = {(key.conversation_key, key.revision) for key in keys}
    conversation, revision = table.c.conversation_key, table.c.revision
    return and_(
        conversation.in_({key for key, _ in pairs}),
        revision.in_({number for _, number in pairs}),
        tuple_(conversation, revision).in_(pairs),
    )


def evaluation_values(place: RevisionPlace, lane: str, evaluation: Evaluation, now: datetime) -> Values:
    """Write an evaluation, its issues aside."""
    use = evaluation.model_use
    return {
        **place.values(),
        **_NO_RESULT,
        **_result_values(evaluation.result),
        "evaluator": evaluation.evaluator,
        "version": evaluation.version,
        "lane": lane,
        "deterministic": evaluation.deterministic,
        "latency_seconds": evaluation.latency_seconds,
        "model": use.model if use else None,
        "input_tokens": use.input_tokens if use else None,
        "output_tokens": use.output_tokens if use else None,
        "model_calls": use.calls if use else None,
        "evaluated_at": evaluation.evaluated_at or now,
    }


_NO_RESULT: Mapping[str, None] = dict.fromkeys(
    ("overall", "confidence", "explanation", "scores", "reason", "failure_kind", "retryable", "raw_answer")
)


def _result_values(result: Result) -> Values:
    match result:
        case Findings():
            return {
                "status": "measured",
                "overall": result.overall,
                "confidence": result.confidence,
                "explanation": result.explanation,
                "scores": storable_json(msgspec.to_builtins(result.scores)),
            }
        case Abstention():
            return {"status": "abstained", "reason": result.reason}
        case Failure():
            return {
                "status": "failed",
                "reason": result.reason,
                "failure_kind": result.kind,
                "retryable": result.retryable,
                "raw_answer": result.raw_answer,
            }


def issue_values(place: RevisionPlace, evaluation: Evaluation) -> list[Values]:
    """Write the issues of an evaluation."""
    if not isinstance(evaluation.result, Findings):
        return []
    common = {**place.values(), "evaluator": evaluation.evaluator, "version": evaluation.version}
    return [
        {
            **common,
            "ordinal": ordinal,
            "type": issue.type,
            "severity": issue.severity,
            "signature": issue.signature,
            "description": issue.description,
            "tool_name": issue.tool_name,
            "argument": issue.argument,
            "evidence": issue.evidence,
            **_turn_values(issue.turn_id),
        }
        for ordinal, issue in enumerate(evaluation.result.issues)
    ]


def verdict_values(place: RevisionPlace, verdict: Verdict, now: datetime) -> Values:
    """Write a verdict."""
    return {
        **place.values(),
        "project": place.project,
        "overall": verdict.overall,
        "outcome": verdict.outcome,
        "missing": storable_json(msgspec.to_builtins(verdict.missing)),
        "weights": verdict.weights,
        "final": verdict.final,
        "evaluated_at": now,
    }


def annotation_values(key: bytes, ordinal: int, annotation: Annotation, now: datetime) -> Values:
    """Write an annotation."""
    return {
        "conversation_key": key,
        "ordinal": ordinal,
        "type": annotation.type,
        "label": storable_json(annotation.label),
        "annotator_id": annotation.annotator_id,
        "confidence": annotation.confidence,
        "notes": annotation.notes,
        "created_at": annotation.created_at or now,
        "bucket": bucket_of(key),
        **_turn_values(annotation.turn_id),
    }


def _turn_values(turn_id: TurnId | None) -> Values:
    if turn_id is None:
        return {"turn_id": None, "turn_id_is_number": None}
    return {"turn_id": str(turn_id), "turn_id_is_number": isinstance(turn_id, int)}


def _turn_id(row: AnyRow) -> TurnId | None:
    return int(row.turn_id) if row.turn_id_is_number else row.turn_id


def read_evaluation(row: AnyRow, issues: Sequence[Issue]) -> Evaluation:
    """Read an evaluation from its row and its issues."""
    use = None
    if row.model is not None:
        use = ModelUse(row.model, row.input_tokens, row.output_tokens, row.model_calls)
    return Evaluation(
        conversation_key=row.conversation_key,
        evaluator=row.evaluator,
        version=row.version,
        result=_read_result(row, issues),
        deterministic=row.deterministic,
        latency_seconds=row.latency_seconds,
        model_use=use,
        evaluated_at=row.evaluated_at,
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
        turn_id=_turn_id(row),
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
        turn_id=_turn_id(row),
        confidence=row.confidence,
        notes=row.notes,
        created_at=row.created_at,
    )
