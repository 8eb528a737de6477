"""What did people say? Feedback becomes annotations, which are only ever appended.

Feedback that comes by itself is read strictly: what is wrong or unknown is refused, since nothing of it would be kept.
Feedback that comes with a conversation is no content of it, so it never costs the conversation: what is wrong is left
out, and said in the item's notes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property, partial
from typing import Any

from healing_eval.domain.annotation import OPS_QUALITY, USER_RATING, Annotation
from healing_eval.domain.conversation import TurnId
from healing_eval.errors import InvalidInput
from healing_eval.formats.fields import (
    as_array,
    as_name,
    as_number,
    as_object,
    child,
    optional_text,
    shown,
    within,
    wrong,
)
from healing_eval.formats.jsontext import decode_body
from healing_eval.formats.limits import WireLimits
from healing_eval.formats.repair import repair

_KNOWN = ("user_rating", "ops_review", "annotations")
_KNOWN_OF_REVIEW = ("quality", "notes")
_KNOWN_OF_ANNOTATION = ("type", "label", "annotator_id", "turn_id", "confidence", "notes")

MOST_NOTES = 10
"""Most of one item's notes that are about its feedback; a sender may send a thousand bad annotations."""

_NAME_CHARACTERS = 100


def read_feedback(body: bytes, limits: WireLimits, known_turn_ids: Collection[TurnId]) -> tuple[Annotation, ...]:
    """Read the body of `POST /api/v1/conversations/{id}/feedback`.

    Args:
        body: the feedback object as JSON.
        limits: how long names may be.
        known_turn_ids: the turns that annotations may point at.

    Raises:
        NotJson: the body is none.
        InvalidInput: with a pointer into the body; also when the body says nothing at all.
    """
    repaired, _ = repair(body)
    reader = _Reader(limits, known_turn_ids)
    annotations = reader.read(decode_body(repaired))
    if reader.wrongs:
        raise reader.wrongs[0]
    if not annotations:
        raise InvalidInput(f"says nothing; expected at least one of {', '.join(_KNOWN)}")
    return annotations


def feedback_of(
    item: dict[str, Any], limits: WireLimits, known_turn_ids: Collection[TurnId]
) -> tuple[tuple[Annotation, ...], tuple[str, ...]]:
    """Read the feedback that came with a conversation.

    Returns:
        The annotations, and notes for the sender on what was left out.
    """
    if item.get("feedback") is None:
        return (), ()
    reader = _Reader(limits, known_turn_ids)
    annotations = reader.read(item["feedback"])
    notes = [f"feedback left out: /feedback{one.pointer}: {one.reason}" for one in reader.wrongs[:MOST_NOTES]]
    if len(reader.wrongs) > MOST_NOTES:
        notes.append(f"feedback left out: {len(reader.wrongs) - MOST_NOTES} more")
    return annotations, tuple(notes)


class _Reader:
    """Reads a feedback object that is decoded already, and leaves out what is wrong; pointers are relative to it."""

    def __init__(self, limits: WireLimits, known_turn_ids: Collection[TurnId]) -> None:
        self._limits = limits
        self._known_turn_ids = known_turn_ids
        self.wrongs: list[InvalidInput] = []
        """What was left out, and why."""
        self._found: list[Annotation] = []

    def read(self, feedback: Any) -> tuple[Annotation, ...]:
        """Read every part by itself."""
        self._part("", self._read_parts, feedback)
        return tuple(self._found)

    def _part(self, pointer: str, read: Callable[[Any], None], value: Any) -> None:
        """Read a part, and leave it out if it is wrong."""
        try:
            read(value)
        except InvalidInput as error:
            self.wrongs.append(within(pointer, error))

    def _read_parts(self, feedback: Any) -> None:
        table = as_object(feedback)
        self._check_known(table, _KNOWN)
        self._part("/user_rating", self._read_rating, table.get("user_rating"))
        self._part("/ops_review", self._read_review, table.get("ops_review"))
        self._part("/annotations", self._read_annotations, table.get("annotations"))

    def _check_known(self, table: dict[str, Any], known: Sequence[str], pointer: str = "") -> None:
        """Leave out fields that nobody would ever see again, and only them."""
        for name in table:
            if name not in known:
                reason = f"unknown field; expected {', '.join(known)}"
                self.wrongs.append(InvalidInput(reason, pointer=child(pointer, name[:_NAME_CHARACTERS])))

    def _read_rating(self, value: Any) -> None:
        if value is not None:
            rating = as_number(value, "", low=1, high=5)
            self._found.append(Annotation(type=USER_RATING, label=_plain(rating), annotator_id="user"))

    def _read_review(self, value: Any) -> None:
        if value is None:
            return
        table = as_object(value)
        self._check_known(table, _KNOWN_OF_REVIEW, "/ops_review")
        quality = table.get("quality")
        if isinstance(quality, bool) or not isinstance(quality, str | int | float):
            raise wrong("a string or a number", quality, pointer="/quality")
        notes = optional_text(table, "notes")
        self._found.append(Annotation(type=OPS_QUALITY, label=quality, annotator_id="ops", notes=notes))

    def _read_annotations(self, value: Any) -> None:
        for index, raw in enumerate(() if value is None else as_array(value)):
            pointer = f"/annotations/{index}"
            self._part(pointer, partial(self._read_annotation, pointer), raw)

    def _read_annotation(self, pointer: str, value: Any) -> None:
        table = as_object(value)
        self._check_known(table, _KNOWN_OF_ANNOTATION, pointer)
        self._found.append(self._annotation(table))

    def _annotation(self, table: dict[str, Any]) -> Annotation:
        label = table.get("label")
        if not isinstance(label, str | int | float):
            raise wrong("a string, a number or a boolean", label, pointer="/label")
        confidence = table.get("confidence")
        return Annotation(
            type=as_name(table.get("type"), "/type", self._limits),
            label=label,
            annotator_id=as_name(table.get("annotator_id"), "/annotator_id", self._limits),
            turn_id=self._known_turn(table.get("turn_id")),
            confidence=None if confidence is None else as_number(confidence, "/confidence", low=0, high=1),
            notes=optional_text(table, "notes"),
        )

    @cached_property
    def _turns(self) -> dict[str, TurnId]:
        return {str(turn_id): turn_id for turn_id in self._known_turn_ids}

    def _known_turn(self, value: Any) -> TurnId | None:
        if value is None:
            return None
        turn_id = None if isinstance(value, bool) or not isinstance(value, int | str) else self._turns.get(str(value))
        if turn_id is None:
            raise InvalidInput(f"no turn has the id {shown(value)}", pointer="/turn_id")
        return turn_id


def _plain(number: float) -> int | float:
    return int(number) if number == int(number) else number
