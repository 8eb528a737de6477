"""Is this the token that the conversation's own results gave, or that its other calls hold?"""

import pytest

from healing_eval.domain.conversation import Conversation, ToolCall, ToolResult, Turn
from healing_eval.evaluators.tool_call.context import Context
from healing_eval.evaluators.tool_call.grounding.check import Grounding
from healing_eval.evaluators.tool_call.options import Options
from healing_eval.evaluators.tool_call.tools import SchemaShelf

OURS, ANOTHER = "k7f3-99ab-12", "zz81-44cd-07"


def grounds(*calls):
    turns = (Turn(1, "user", "go on"), *(Turn(n, "assistant", "", tool_calls=(one,)) for n, one in enumerate(calls, 2)))
    conversation = Conversation(key=b"k", conversation_id="c", agent_version="v", turns=turns)
    return [found for _, _, found in Grounding(Context(conversation, Options(), SchemaShelf())).values()]


def login(**result):
    return ToolCall("login", {}, ToolResult(result))


def test_the_token_that_a_result_gave_has_a_ground():
    assert grounds(login(access_token=OURS), ToolCall("send", {"token": OURS})) == [True]


def test_another_one_than_a_result_gave_has_none():
    assert grounds(login(access_token=OURS), ToolCall("send", {"token": ANOTHER})) == [False]


def test_a_token_that_is_given_only_later_does_not_count():
    assert grounds(ToolCall("send", {"token": ANOTHER}), login(token=OURS)) == []


def test_what_the_surroundings_fill_in_is_not_decided():
    assert grounds(ToolCall("send", {"session_token": OURS})) == []


def test_the_odd_one_among_a_sessions_tokens_has_no_ground():
    held = [OURS, ANOTHER, OURS]

    found = grounds(*(ToolCall(f"tool_{n}", {"session_token": token}) for n, token in enumerate(held)))

    assert found == [True, False, True]


def test_tools_of_other_services_may_have_other_tokens():
    assert grounds(ToolCall("mail", {"token": OURS}), ToolCall("chat", {"token": ANOTHER})) == []


@pytest.mark.parametrize(
    ("argument", "value"),
    [("session", "morning"), ("session_date", "2025-03-01"), ("auth", "Bearer abc 1"), ("token_kind", "k7f3-99ab-12")],
)
def test_what_is_no_token_is_not_looked_up(argument, value):
    assert grounds(ToolCall("a", {argument: value}), ToolCall("a", {argument: value + "x"})) == []
