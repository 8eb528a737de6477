"""How is a conversation in our own shape read?"""

from datetime import UTC, datetime
from typing import Any

import pytest

from healing_eval.domain.conversation import ToolResult, Turn
from healing_eval.errors import InvalidInput
from healing_eval.formats.limits import WireLimits
from healing_eval.formats.wire import read_turns

LIMITS = WireLimits(id_characters=40)
TURN = {"role": "user", "content": "hello"}
CALL = {"tool_name": "search", "parameters": {"city": "Oslo"}}


def read(*turns: Any) -> tuple[Turn, ...]:
    return read_turns({"turns": list(turns)}, LIMITS).turns


def test_a_whole_turn_is_read() -> None:
    result = {"status": "success", "flights": [{"id": 1}]}
    call = CALL | {"result": result, "latency_ms": 12.5, "call_id": "k"}
    (turn,) = read(
        {"turn_id": "t", "role": "assistant", "timestamp": "2026-01-31T12:00:00+02:00", "tool_calls": [call]}
    )

    assert (turn.turn_id, turn.role, turn.content) == ("t", "assistant", "")
    assert turn.timestamp == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert turn.tool_calls[0].result == ToolResult(value=result, status="success")
    assert (turn.tool_calls[0].latency_ms, turn.tool_calls[0].call_id) == (12.5, "k")


@pytest.mark.parametrize(
    "turn",
    [
        {"turn_id": 1, "role": "user", "content": "", "timestamp": "2026-01-31T12:00:00Z", "unknown": 1},
        {"turn_id": 1, "role": "assistant", "tool_calls": [CALL]},
        {"turn_id": 1, "role": "assistant", "content": None, "timestamp": None, "tool_calls": [CALL]},
        {"turn_id": 1, "role": "tool", "content": "x", "timestamp": "2026-01-31T12:00:00+02:00"},
        {"turn_id": 1, "role": "system", "content": "x", "timestamp": "2026-01-31T12:00:00", "tool_calls": []},
    ],
)
def test_a_turn_is_read_alike_whatever_stands_beside_it(turn: dict[str, Any]) -> None:
    assert read(turn) == read(turn, {"role": "human", "content": ["hello"]})[:1]


def test_a_turn_that_holds_nothing_or_has_the_id_of_another_is_refused() -> None:
    with pytest.raises(InvalidInput, match="/turns/0/content: is missing"):
        read({"turn_id": 1, "role": "assistant", "tool_calls": []})
    with pytest.raises(InvalidInput, match="/turns/1/turn_id: turn_id 1 is already that of turn 0"):
        read(TURN | {"turn_id": 1}, TURN | {"turn_id": 1})


def test_a_turn_without_an_id_is_called_by_its_position() -> None:
    assert [turn.turn_id for turn in read(TURN, TURN | {"turn_id": None})] == [1, 2]


@pytest.mark.parametrize(
    ("sent", "role"), [("developer", "system"), ("function", "tool"), ("human", "user"), ("ai", "assistant")]
)
def test_other_names_of_a_role_are_known(sent: str, role: str) -> None:
    assert read({"role": sent, "content": ""})[0].role == role


def test_a_time_without_an_offset_is_utc() -> None:
    assert read(TURN | {"timestamp": "2026-01-31T12:00:00"})[0].timestamp == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_an_empty_text_is_kept_for_an_evaluator_to_find() -> None:
    assert read(TURN | {"content": " "})[0].content == " "


def test_parts_are_joined_and_what_is_no_text_is_named() -> None:
    parts = ["a", {"type": "text", "text": "b"}, {"type": "image_url", "image_url": {}}, {"type": "x", "refusal": "no"}]

    assert read(TURN | {"content": parts})[0].content == "a\nb\n[image]\nno"


@pytest.mark.parametrize(
    ("changes", "pointer", "reason"),
    [
        ({"role": None}, "/role", "is missing; expected one of system, user, assistant, tool"),
        ({"role": "hacker"}, "/role", 'unknown role "hacker"; expected one of system, user, assistant, tool'),
        ({"role": 5}, "/role", "unknown role 5"),
        ({"content": None}, "/content", "is missing"),
        ({"content": 5}, "/content", "expected a string or an array of parts, got 5"),
        ({"content": [5]}, "/content/0", "expected a part with a type, got 5"),
        ({"content": [{"text": 1}]}, "/content/0/text", "expected a string, got 1"),
        ({"content": [{}]}, "/content/0/type", "expected a string, got null"),
        ({"turn_id": True}, "/turn_id", "expected an integer or a string, got true"),
        ({"turn_id": 1.5}, "/turn_id", "expected an integer or a string, got 1.5"),
        ({"turn_id": [1]}, "/turn_id", "expected an integer or a string, got an array"),
        ({"turn_id": " "}, "/turn_id", "not blank"),
        ({"turn_id": "x" * 41}, "/turn_id", "has 41 characters, the limit is 40"),
        ({"timestamp": "yesterday"}, "/timestamp", 'expected a time as in RFC 3339, such as "2026-01-31T12:00:00Z"'),
        ({"timestamp": 1700000000}, "/timestamp", "expected a time"),
        ({"timestamp": "0001-01-01T00:00:00+10:00"}, "/timestamp", "expected a time"),
        ({"tool_calls": {}}, "/tool_calls", "expected an array, got an object"),
        ({"tool_calls": [5]}, "/tool_calls/0", "expected an object, got 5"),
        ({"tool_calls": [CALL, {}]}, "/tool_calls/1/tool_name", "is missing; expected the name of the tool"),
        ({"tool_calls": [{"tool_name": " "}]}, "/tool_calls/0/tool_name", "expected the name of the tool"),
        ({"tool_calls": [CALL | {"latency_ms": -9e9}]}, "/tool_calls/0/latency_ms", "a number, 0 or more, got -9"),
        ({"tool_calls": [CALL | {"latency_ms": True}]}, "/tool_calls/0/latency_ms", "a number, 0 or more, got true"),
        ({"tool_calls": [CALL | {"latency_ms": "5"}]}, "/tool_calls/0/latency_ms", "a number, 0 or more"),
        ({"tool_calls": [CALL | {"latency_ms": 10**400}]}, "/tool_calls/0/latency_ms", "a number, 0 or more"),
        ({"tool_calls": [CALL | {"latency_ms": float("inf")}]}, "/tool_calls/0/latency_ms", "a number, 0 or more"),
        ({"tool_calls": [CALL | {"call_id": []}]}, "/tool_calls/0/call_id", "expected a string, got an array"),
    ],
)
def test_where_the_meaning_is_at_stake_a_turn_is_refused(changes: dict[str, Any], pointer: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(TURN, TURN | changes)

    assert caught.value.pointer == f"/turns/1{pointer}"
    assert reason in caught.value.reason


def test_a_turn_that_is_null_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^/turns/0: expected an object, got null$"):
        read(None)


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, "1"), ("a", "a"), (2, None)])
def test_two_turns_with_one_id_are_refused(first: Any, second: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^/turns/1/turn_id: turn_id .* is already that of turn 0"):
        read(TURN | {"turn_id": first}, TURN | {"turn_id": second})
