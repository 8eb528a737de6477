from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from healing_eval.api.questions import MAX_NAMES, read_filter, read_query
from healing_eval.domain.issue_types import ISSUE_TYPES, IssueType, register
from healing_eval.domain.query import MAX_PAGE, ConversationFilter, EvaluationQuery
from healing_eval.errors import InvalidInput, InvalidParameter, NotJson, PluginError


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
        ({"issue_types": "tool_failur"}, "/issue_types"),
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


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"\xff", b'{"limit": 1} x'])
def test_what_is_no_json_is_refused_as_such(body: bytes) -> None:
    with pytest.raises(NotJson, match=r"^the body is not ") as refused:
        read_query(body)

    assert len(refused.value.reason) <= 300


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"sort": "x"}, 'expected one of evaluated_at, -evaluated_at, overall, -overall, got "x"'),
        ({"min_severity": "bad"}, 'expected one of info, warning, error, critical, got "bad"'),
        ({"outcome": ["bad"]}, 'expected one of pass, fail, unknown, got "bad"'),
        ({"outcome": 5}, 'expected a list such as ["fail"], got 5'),
        ({"outcome": {}}, 'expected a list such as ["fail"], got an object'),
        ({"evaluated_from": "yesterday"}, "such as 2026-01-31T12:00:00Z, or a date such as 2026-01-31"),
        ({"evaluated_from": "0001-01-01T00:00:00+14:00"}, "expected a time"),
        ({"evaluated_from": 5}, "expected a time"),
        ({"has_issues": "yes"}, 'expected true or false, got "yes"'),
        ({"limit": 101}, "expected an integer from 1 to 100, got 101"),
        ({"limit": 1.5}, "expected an integer from 1 to 100, got 1.5"),
        ({"limit": True}, "expected an integer from 1 to 100, got true"),
        ({"issue_types": ["tool_failur"]}, 'no issue type "tool_failur"; the closest known: tool_failure, '),
        ({"issue_types": ["nope"]}, 'no issue type "nope"; the closest known: '),
        ({"offset": 1}, "unknown field; expected conversation_ids, agent_versions, "),
    ],
)
def test_a_refusal_says_what_was_expected(query: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(**query)

    assert expected in refused.value.reason


def test_one_value_is_taken_for_a_list_of_one() -> None:
    query = ask(outcome="fail", issue_types="tool_failure", conversation_ids="c", agent_versions="v", evaluators="e")

    assert (query.outcome, query.issue_types) == (("fail",), ("tool_failure",))
    assert (query.conversation_ids, query.agent_versions, query.evaluators) == (("c",), ("v",), ("e",))


def test_a_plain_date_is_midnight_utc() -> None:
    query = ask(evaluated_from="2026-01-31", evaluated_before=None)

    assert query.evaluated_from == datetime(2026, 1, 31, tzinfo=UTC)
    assert query.evaluated_before is None
    assert read_filter({"accepted_from": ["2026-01-31"]}).accepted_from == query.evaluated_from


@pytest.fixture
def issue_types_as_before() -> Iterator[None]:
    before = dict(ISSUE_TYPES)
    yield
    ISSUE_TYPES.clear()
    ISSUE_TYPES.update(before)


@pytest.mark.usefixtures("issue_types_as_before")
def test_a_type_that_a_plug_in_registers_can_be_asked_for() -> None:
    register(IssueType("rude_greeting", "info", "The agent does not greet."))

    assert ask(issue_types=["rude_greeting"]).issue_types == ("rude_greeting",)
    with pytest.raises(PluginError, match="rude_greeting"):
        register(IssueType("rude_greeting", "error", "Another meaning."))


def test_a_query_string_is_read() -> None:
    chosen = read_filter({"status": ["done", "failed"], "agent_versions": ["v1"], "limit": ["7"], "cursor": ["x"]})

    assert chosen == ConversationFilter(status=("done", "failed"), agent_versions=("v1",), limit=7, cursor="x")


@pytest.mark.parametrize(
    ("parameters", "name", "expected"),
    [
        ({"offset": ["1"]}, "offset", "unknown parameter; expected status, agent_versions, accepted_from, "),
        ({"a/~b": ["1"]}, "a/~b", "unknown parameter"),
        ({"status": ["done", "bad"]}, "status", "expected one of pending, evaluating, done, unevaluable, failed, got"),
        ({"limit": ["x"]}, "limit", 'expected an integer from 1 to 100, got "x"'),
        ({"limit": ["101"]}, "limit", "expected an integer from 1 to 100, got 101"),
        ({"limit": ["1", "2"]}, "limit", "expected one value, got 2"),
        ({"accepted_from": ["2026-01-01T00:00:00"]}, "accepted_from", "offset from UTC, such as"),
        ({"agent_versions": ["v"] * (MAX_NAMES + 1)}, "agent_versions", f"at most {MAX_NAMES} values"),
    ],
)
def test_a_bad_parameter_is_refused_by_its_name(parameters: dict[str, list[str]], name: str, expected: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        read_filter(parameters)

    assert refused.value.parameter == name
    assert expected in refused.value.reason
