from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from healing_eval.api.questions import MAX_NAMES, check_filter, read_query
from healing_eval.domain.query import MAX_PAGE, ConversationFilter, EvaluationQuery
from healing_eval.errors import InvalidInput


def ask(**query: Any) -> EvaluationQuery:
    return read_query(msgspec.json.encode(query))


def test_an_empty_query_asks_for_the_first_page_of_everything() -> None:
    assert ask() == EvaluationQuery()


def test_a_query_is_read() -> None:
    query = ask(min_overall=0, max_overall=1, limit=MAX_PAGE, evaluated_from="2026-01-31T12:00:00Z")

    assert (query.min_overall, query.max_overall, query.limit) == (0, 1, MAX_PAGE)
    assert query.evaluated_from == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": 10_000}, "/limit"),
        ({"limit": 0}, "/limit"),
        ({"offset": 0}, "/offset"),
        ({"min_overall": -0.1}, "/min_overall"),
        ({"max_overall": 87.0}, "/max_overall"),
        ({"min_overall": "0.5"}, "/min_overall"),
        ({"has_issues": "yes"}, "/has_issues"),
        ({"issue_types": "tool_failure"}, "/issue_types"),
        ({"issue_types": [None]}, "/issue_types/0"),
        ({"conversation_ids": ["x"] * (MAX_NAMES + 1)}, "/conversation_ids"),
        ({"evaluated_before": "2026-01-31T12:00:00"}, "/evaluated_before"),
        ({"x" * 100_000: 1}, "/" + "x" * 299),
    ],
)
def test_what_cannot_be_asked_is_refused_where_it_stands(query: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(**query)

    assert refused.value.pointer == pointer
    assert len(refused.value.reason) < 500


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"limit": 1} x', b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_query(body)

    assert len(refused.value.reason) <= 300


def test_an_unknown_parameter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"'offset'.*cursor"):
        check_filter(ConversationFilter(), {"offset": "1"})


@pytest.mark.parametrize(
    "chosen",
    [
        ConversationFilter(limit=MAX_PAGE + 1),
        ConversationFilter(accepted_from=datetime(2026, 1, 1)),  # noqa: DTZ001 - that is what is refused
        ConversationFilter(agent_versions=("v",) * (MAX_NAMES + 1)),
    ],
)
def test_a_filter_out_of_range_is_refused(chosen: ConversationFilter) -> None:
    with pytest.raises(InvalidInput):
        check_filter(chosen, {})
