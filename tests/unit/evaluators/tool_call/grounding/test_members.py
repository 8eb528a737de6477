"""Was another member of an enum asked for than the one in the call?"""

import pytest

from healing_eval.domain.conversation import Conversation, ToolCall, ToolDefinition, ToolResult, Turn
from healing_eval.evaluators.tool_call.context import Context
from healing_eval.evaluators.tool_call.grounding.check import Grounding
from healing_eval.evaluators.tool_call.grounding.members import choices
from healing_eval.evaluators.tool_call.options import Options
from healing_eval.evaluators.tool_call.tools import SchemaShelf

SEATS = ["window seat", "aisle seat", "middle seat", "any"]


def grounds(turns, members=SEATS, **more):
    enum = {"type": "string", "enum": members, **more}
    listed = {"type": "array", "items": enum}
    properties = {"seat": enum, "other": {"type": "string", "enum": members}, "seats": listed}
    tool = ToolDefinition("pick", parameters={"type": "object", "properties": properties})
    conversation = Conversation(key=b"k", conversation_id="c", agent_version="v", turns=tuple(turns), tools=(tool,))
    values = Grounding(Context(conversation, Options(), SchemaShelf())).values()
    return {leaf.name: found for _, leaf, found in values}


def picked(said, members=SEATS, **arguments):
    turns = [Turn(1, "user", said), Turn(2, "assistant", "", tool_calls=(ToolCall("pick", arguments),))]
    return grounds(turns, members)


@pytest.mark.parametrize(
    ("said", "members", "value"),
    [
        ("by the window", SEATS, "window seat"),
        ("something luxurious", ["luxury", "plain"], "luxury"),
        ("a Chineese place", ["CHINESE", "THAI"], "CHINESE"),
        ("first class please", ["first_class", "second_class"], "first_class"),
    ],
)
def test_a_member_is_said_by_any_word_that_tells_it_from_the_others(said, members, value):
    assert picked(said, members, seat=value) == {"seat": True}


def test_a_member_has_no_ground_when_another_one_was_named_instead():
    assert picked("on the aisle", seat="window seat") == {"seat": False}


def test_a_member_that_may_follow_by_meaning_is_not_decided():
    assert picked("where I can look out", seat="window seat") == {}


def test_another_member_does_not_count_where_another_argument_holds_it():
    said = "the aisle for my wife"

    found = picked(said, seat="window seat", other="aisle seat")

    assert found == {"other": True}


def test_members_in_a_list_do_not_exclude_each_other():
    assert picked("aisle", seats=["aisle seat", "window seat"]) == {}


def test_what_only_a_result_names_was_not_asked_for():
    call = ToolCall("find", {}, ToolResult({"seat": "aisle seat"}))
    turns = [
        Turn(1, "user", "find me a flight"),
        Turn(2, "assistant", "", tool_calls=(call, ToolCall("pick", {"seat": "window seat"}))),
    ]

    assert grounds(turns) == {}


def test_what_the_agent_named_counts_once_the_user_has_answered():
    asked = [Turn(1, "user", "a seat"), Turn(2, "assistant", "The aisle?")]
    call = Turn(4, "assistant", "", tool_calls=(ToolCall("pick", {"seat": "window seat"}),))

    before, after = grounds([*asked, call]), grounds([*asked, Turn(3, "user", "Yes."), call])

    assert before == {}
    assert after == {"seat": False}


def test_the_default_needs_no_ground():
    call = Turn(2, "assistant", "", tool_calls=(ToolCall("pick", {"seat": "window seat"}),))

    assert "seat" not in grounds([Turn(1, "user", "aisle"), call], default="window seat")


@pytest.mark.parametrize(
    "members", [["true", "false"], ["1", "2", "3"], ["only", "any"], [1, 2], "text", [], ["x"] * 99]
)
def test_there_is_no_choice_between_names_among_yes_and_no_digits_or_nothing(members):
    assert choices({"enum": members}) == ()


def test_a_member_whose_words_others_share_too_is_told_by_all_of_them():
    members = ["economy", "premium economy"]

    assert picked("in economy", members, seat="economy") == {"seat": True}
    assert picked("in economy", members, seat="premium economy") == {"seat": False}
    assert picked("in premium economy", members, seat="premium economy") == {"seat": True}
