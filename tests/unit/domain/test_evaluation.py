from typing import Any

import pytest

from healing_eval.domain.evaluation import issue, score_of


def test_a_signature_does_not_depend_on_conversation_turn_or_array_index() -> None:
    first = issue(
        "schema_violation", "'1/2' is no date", turn_id=3, tool_name="book", argument="/legs/0/date", detail="format"
    )
    second = issue(
        "schema_violation", "'x' is no date", turn_id="m9", tool_name="book", argument="/legs/7/date", detail="format"
    )

    assert first.signature == second.signature


@pytest.mark.parametrize(
    "other",
    [
        {"tool_name": "cancel", "argument": "/date", "detail": "format"},
        {"tool_name": "book", "argument": "/day", "detail": "format"},
        {"tool_name": "book", "argument": "/date", "detail": "type"},
    ],
)
def test_a_signature_tells_tool_argument_and_detail_apart(other: dict[str, Any]) -> None:
    one = issue("schema_violation", "", tool_name="book", argument="/date", detail="format")

    assert issue("schema_violation", "", **other).signature != one.signature


def test_without_issues_the_score_is_one_and_each_issue_lowers_it() -> None:
    mild, grave = issue("slow_response", ""), issue("preference_violated", "")

    assert score_of([]) == 1.0
    assert score_of([grave]) < score_of([mild]) < 1.0
    assert 0 < score_of([grave] * 3) < score_of([grave])


def test_an_unknown_issue_type_is_a_fault_of_the_evaluator() -> None:
    with pytest.raises(KeyError):
        issue("bad_vibes", "")


def test_of_one_make_of_defect_the_first_three_count() -> None:
    timeout, other = issue("tool_failure", "", tool_name="search"), issue("tool_failure", "", tool_name="book")

    assert score_of([timeout] * 3) == score_of([timeout] * 50)
    assert score_of([timeout] * 3 + [other]) < score_of([timeout] * 3)
