"""How is a conversation of OpenAI chat messages read?"""

from typing import Any

import pytest

from healing_eval.domain.conversation import Turn
from healing_eval.errors import InvalidInput
from healing_eval.formats.limits import UNLIMITED, WireLimits
from healing_eval.formats.openai_chat import read_messages
from healing_eval.formats.turns import Dialogue

USER = {"role": "user", "content": "hi"}


def call(call_id: str | None = "k", name: str = "t") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}


def asks(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def dialogue(*messages: Any, **others: Any) -> Dialogue:
    return read_messages({"messages": list(messages), **others}, WireLimits())


def read(*messages: Any, **others: Any) -> tuple[Turn, ...]:
    return dialogue(*messages, **others).turns


def test_turns_are_called_by_the_position_of_their_message() -> None:
    turns = read({"role": "system", "content": "s"}, USER, asks(call()), {"role": "tool", "tool_call_id": "k"}, USER)

    assert [(turn.turn_id, turn.role) for turn in turns] == [(2, "user"), (3, "assistant"), (5, "user")]


def test_answers_of_tools_are_folded_into_their_calls() -> None:
    turns = read(
        USER,
        asks(call("a"), call("b")),
        {"role": "tool", "tool_call_id": "b", "content": '{"error": "none"}'},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "[1, 2]"}]},
    )

    first, second = (made.result for made in turns[1].tool_calls)
    assert first is not None
    assert second is not None
    assert (first.value, first.failed) == ([1, 2], False)
    assert (second.value, second.error) == ({"error": "none"}, "none")


@pytest.mark.parametrize(
    ("content", "value", "failed"),
    [("plain", "plain", False), ("Error: x", "Error: x", True), ("{broken", "{broken", False), ("12", "12", False)],
)
def test_an_answer_that_is_no_object_stays_text(content: str, value: Any, failed: bool) -> None:
    result = read(asks(call()), {"role": "tool", "tool_call_id": "k", "content": content})[0].tool_calls[0].result

    assert result is not None
    assert (result.value, result.failed) == (value, failed)


@pytest.mark.parametrize("call_id", ["unknown", None])
def test_an_answer_to_no_call_is_a_turn_of_its_own(call_id: str | None) -> None:
    turns = read(asks(call()), {"role": "tool", "tool_call_id": call_id, "content": "x"})

    assert [(turn.role, turn.content) for turn in turns] == [("assistant", ""), ("tool", "x")]


def test_a_second_answer_to_one_call_is_a_turn_of_its_own() -> None:
    answer = {"role": "tool", "tool_call_id": "k", "content": "x"}

    assert [turn.role for turn in read(asks(call()), answer, answer)] == ["assistant", "tool"]


def test_calls_of_the_legacy_shape_are_answered_by_name_in_order() -> None:
    asked = {"role": "assistant", "content": "", "function_call": {"name": "t", "arguments": "{}"}}
    answers = [{"role": "function", "name": "t", "content": content} for content in ("1st", "2nd")]

    turns = read(asked, asked, *answers)

    assert [turn.tool_calls[0].result.value for turn in turns if turn.tool_calls[0].result] == ["1st", "2nd"]


def test_leading_system_messages_are_the_system_prompt() -> None:
    found = dialogue(
        {"role": "system", "content": "a"},
        {"role": "developer", "content": "b"},
        USER,
        {"role": "system", "content": "c"},
    )

    assert found.system_prompt == "a\n\nb"
    assert [turn.role for turn in found.turns] == ["user", "system"]
    assert len(found.entries) == 4


def test_a_system_prompt_of_the_item_comes_first() -> None:
    found = dialogue({"role": "system", "content": "a"}, USER, system_prompt="given")

    assert found.system_prompt == "given"
    assert [turn.role for turn in found.turns] == ["system", "user"]


@pytest.mark.parametrize("wrap", [lambda c: {"choices": c}, lambda c: {"response": {"choices": c}}])
def test_a_logged_answer_is_the_last_turn(wrap: Any) -> None:
    found = dialogue(USER, **wrap([{"message": {"role": "assistant", "content": "yes"}}]))

    assert (found.turns[-1].turn_id, found.turns[-1].content) == (2, "yes")
    assert len(found.entries) == 2


def test_a_response_without_choices_adds_nothing() -> None:
    assert len(read(USER, response={"status": 200}, choices=[])) == 1


def test_a_refusal_is_what_the_agent_said() -> None:
    assert read({"role": "assistant", "content": None, "refusal": "I cannot"})[0].content == "I cannot"


@pytest.mark.parametrize(
    ("messages", "others", "pointer"),
    [
        ([], {}, "/messages"),
        ([None], {}, "/messages/0"),
        ([USER, {"content": "x"}], {}, "/messages/1/role"),
        ([{"role": "system", "content": "x"}], {}, "/messages"),
        ([asks({"function": {}})], {}, "/messages/0/tool_calls/0/function/name"),
        ([{"role": "assistant", "function_call": {}}], {}, "/messages/0/function_call/name"),
        ([USER, USER | {"timestamp": "x"}], {}, "/messages/1/timestamp"),
        ([USER], {"choices": 5}, "/choices"),
        ([USER], {"choices": [5]}, "/choices/0"),
        ([USER], {"choices": [{}]}, "/choices/0/message"),
        ([USER], {"choices": [{"message": {"role": "x"}}]}, "/choices/0/message/role"),
        ([USER], {"response": {"choices": [{"message": {}}]}}, "/response/choices/0/message/role"),
    ],
)
def test_a_refusal_names_the_message(messages: list[Any], others: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(*messages, **others)

    assert caught.value.pointer == pointer


def test_many_answers_by_name_are_folded_in_linear_time() -> None:
    asked = {"role": "assistant", "function_call": {"name": "t"}}
    answered = {"role": "function", "name": "t", "content": "x"}

    found = read_messages({"messages": [asked] * 20_000 + [answered] * 20_000}, UNLIMITED)

    assert len(found.turns) == 20_000
