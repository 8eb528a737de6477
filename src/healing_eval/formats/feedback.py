"""What did people say? Feedback becomes annotations, which are only ever appended."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from healing_eval.domain.annotation import OPS_QUALITY, USER_RATING, Annotation
from healing_eval.domain.conversation import TurnId
from healing_eval.errors import InvalidInput
from healing_eval.formats.fields import (
    as_array,
    as_name,
    as_number,
    as_object,
    inside,
    optional_text,
    shown,
    wrong,
)
from healing_eval.formats.jsontext import decode_body
from healing_eval.formats.limits import WireLimits
from healing_eval.formats.repair import repair

_KNOWN = ("user_rating", "ops_review", "annotations")


def read_feedback(body: bytes, limits: WireLimits, known_turn_ids: Collection[TurnId]) -> tuple[Annotation, ...]:
    """Read the body of `POST /api/v1/conversations/{id}/feedback`.

    Args:
        body: the feedback object as JSON.
        limits: how long names may be.
        known_turn_ids: the turns that annotations may point at.

    Raises:
        InvalidInput: with a pointer into the body; also when the body says nothing at all.
    """
    repaired, _ = repair(body)
    annotations = annotations_of(decode_body(repaired), limits, known_turn_ids)
    if not annotations:
        raise InvalidInput(f"says nothing; expected at least one of {', '.join(_KNOWN)}")
    return annotations


def annotations_of(feedback: Any, limits: WireLimits, known_turn_ids: Collection[TurnId]) -> tuple[Annotation, ...]:
    """Read a feedback object that is decoded already; pointers are relative to it."""
    if feedback is None:
        return ()
    table = as_object(feedback)
    found: list[Annotation] = []
    if table.get("user_rating") is not None:
        rating = as_number(table["user_rating"], "/user_rating", low=1, high=5)
        found.append(Annotation(type=USER_RATING, label=_plain(rating), annotator_id="user"))
    if table.get("ops_review") is not None:
        with inside("/ops_review"):
            found.append(_read_review(as_object(table["ops_review"])))
    if table.get("annotations") is not None:
        known = {str(turn_id): turn_id for turn_id in known_turn_ids}
        for index, raw in enumerate(as_array(table["annotations"], "/annotations")):
            with inside(f"/annotations/{index}"):
                found.append(_read_annotation(as_object(raw), limits, known))
    return tuple(found)


def _plain(number: float) -> int | float:
    return int(number) if number == int(number) else number


def _read_review(table: dict[str, Any]) -> Annotation:
    quality = table.get("quality")
    if isinstance(quality, bool) or not isinstance(quality, str | int | float):
        raise wrong("a string or a number", quality, pointer="/quality")
    return Annotation(type=OPS_QUALITY, label=quality, annotator_id="ops", notes=optional_text(table, "notes"))


def _read_annotation(table: dict[str, Any], limits: WireLimits, known: dict[str, TurnId]) -> Annotation:
    label = table.get("label")
    if not isinstance(label, str | int | float):
        raise wrong("a string, a number or a boolean", label, pointer="/label")
    confidence = table.get("confidence")
    return Annotation(
        type=as_name(table.get("type"), "/type", limits),
        label=label,
        annotator_id=as_name(table.get("annotator_id"), "/annotator_id", limits),
        turn_id=_known_turn(table.get("turn_id"), known),
        confidence=None if confidence is None else as_number(confidence, "/confidence", low=0, high=1),
        notes=optional_text(table, "notes"),
    )


def _known_turn(value: Any, known: dict[str, TurnId]) -> TurnId | None:
    if value is None:
        return None
    turn_id = None if isinstance(value, bool) or not isinstance(value, int | str) else known.get(str(value))
    if turn_id is None:
        raise InvalidInput(f"no turn has the id {shown(value)}", pointer="/turn_id")
    return turn_id
