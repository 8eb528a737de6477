"""What did people say?"""

import json
from typing import Any

import pytest

from healing_eval.domain.annotation import Annotation
from healing_eval.errors import InvalidInput
from healing_eval.formats.feedback import read_feedback
from healing_eval.formats.limits import WireLimits


def read(feedback: Any) -> tuple[Annotation, ...]:
    return read_feedback(json.dumps(feedback).encode(), WireLimits(id_characters=40), [1, 2, "x"])


NOTE = {"type": "helpfulness", "label": "good", "annotator_id": "ann"}


def test_everything_people_said_becomes_an_annotation() -> None:
    found = read(
        {
            "user_rating": 4.0,
            "ops_review": {"quality": "poor", "notes": "rude"},
            "annotations": [
                NOTE | {"turn_id": "2", "confidence": 0.5, "notes": "n"},
                NOTE | {"label": True, "turn_id": "x"},
            ],
        }
    )

    assert found == (
        Annotation("user_rating", 4, "user"),
        Annotation("ops_quality", "poor", "ops", notes="rude"),
        Annotation("helpfulness", "good", "ann", turn_id=2, confidence=0.5, notes="n"),
        Annotation("helpfulness", True, "ann", turn_id="x"),
    )


def test_half_a_star_stays_half_a_star() -> None:
    assert read({"user_rating": 3.5})[0].label == 3.5


@pytest.mark.parametrize("feedback", [{}, {"user_rating": None}, {"annotations": []}])
def test_feedback_that_says_nothing_is_refused(feedback: Any) -> None:
    with pytest.raises(
        InvalidInput, match="says nothing; expected at least one of user_rating, ops_review, annotations"
    ):
        read(feedback)


@pytest.mark.parametrize(
    ("feedback", "pointer", "reason"),
    [
        (None, "", "expected an object, got null"),
        ([], "", "expected an object"),
        ({"user_rating": 99}, "/user_rating", "expected a number from 1 to 5, got 99"),
        ({"user_rating": 0}, "/user_rating", "from 1 to 5"),
        ({"user_rating": True}, "/user_rating", "got true"),
        ({"user_rating": "5"}, "/user_rating", 'got "5"'),
        ({"ops_review": 1}, "/ops_review", "expected an object"),
        ({"ops_review": {}}, "/ops_review/quality", "expected a string or a number, got null"),
        ({"ops_review": {"quality": True}}, "/ops_review/quality", "got true"),
        ({"ops_review": {"quality": 1, "notes": 1}}, "/ops_review/notes", "expected a string"),
        ({"annotations": {}}, "/annotations", "expected an array"),
        ({"annotations": [NOTE, 1]}, "/annotations/1", "expected an object"),
        ({"annotations": [NOTE | {"type": ""}]}, "/annotations/0/type", "not blank"),
        ({"annotations": [NOTE | {"label": None}]}, "/annotations/0/label", "expected a string, a number or a boolean"),
        ({"annotations": [NOTE | {"annotator_id": None}]}, "/annotations/0/annotator_id", "is missing"),
        ({"annotations": [NOTE | {"annotator_id": "x" * 41}]}, "/annotations/0/annotator_id", "the limit is 40"),
        ({"annotations": [NOTE | {"turn_id": 3}]}, "/annotations/0/turn_id", "no turn has the id 3"),
        ({"annotations": [NOTE | {"turn_id": 1.0}]}, "/annotations/0/turn_id", "no turn has the id 1.0"),
        ({"annotations": [NOTE | {"turn_id": True}]}, "/annotations/0/turn_id", "no turn has the id true"),
        ({"user_rating": 5, "typo": 1}, "/typo", "unknown field; expected user_rating, ops_review, annotations"),
        ({"ops_review": {"quality": 1, "note": "x"}}, "/ops_review/note", "unknown field; expected quality, notes"),
        ({"annotations": [NOTE | {"a/b": 1}]}, "/annotations/0/a~1b", "unknown field; expected type, label"),
        ({"annotations": [NOTE | {"confidence": 1.5}]}, "/annotations/0/confidence", "from 0 to 1, got 1.5"),
    ],
)
def test_feedback_without_sense_is_refused_with_the_place(feedback: Any, pointer: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(feedback)

    assert caught.value.pointer == pointer
    assert reason in caught.value.reason
