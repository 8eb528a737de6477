"""Which values have a ground?"""

import pytest

from healing_eval.domain.conversation import Conversation, ToolCall, ToolResult, Turn
from healing_eval.evaluators.tool_call.context import Context
from healing_eval.evaluators.tool_call.grounding.check import Grounding
from healing_eval.evaluators.tool_call.options import Options
from healing_eval.evaluators.tool_call.tools import SchemaShelf


def flags(turns):
    conversation = Conversation(key=b"k", conversation_id="c", agent_version="v", turns=turns)
    return [not found for _, _, found in Grounding(Context(conversation, Options(), SchemaShelf())).values()]


def flagged(said, name, value):
    return flags((Turn(1, "user", said), Turn(2, "assistant", "", tool_calls=(ToolCall("look", {name: value}),))))


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        ("from Berlin-Mitte please", "place", "berlin mitte"),
        ("on May 20th", "day", "2024-05-20"),
        ("on 20/05/2024", "day", "2024-05-20"),
        ("at 5:30 pm", "at", "17:30"),
        ("a dozen eggs", "count", 12),
        ("1,200 dollars", "amount", 1200),
        ("120 for each of 3", "total", 360),
        ("to New York", "to", "JFK"),
        ("World Health Organization", "body_id", "WHO"),
        ("I live in Recklinghausen", "city", "Reckllinghausen"),
        ("20 % off", "rate", 0.2),
    ],
)
def test_a_value_said_in_another_form_has_a_ground(said, name, value):
    assert flagged(said, name, value) in ([False], [])


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        ("order 5123", "id", 12),
        ("on May 20th", "day", "2024-05-21"),
        ("at 5:30 pm", "at", "18:30"),
        ("to New York", "to", "LHR"),
        ("hello", "user_id", "mia_li_3668"),
        ("nothing", "city", "Ouagadougou"),
    ],
)
def test_a_value_nobody_said_has_none(said, name, value):
    assert flagged(said, name, value) == [True]


@pytest.mark.parametrize(
    ("name", "value"), [("flag", True), ("count", 3), ("query", "cheap shoes"), ("session_token", "x-1"), ("a", None)]
)
def test_what_needs_no_ground_is_not_looked_up(name, value):
    assert flagged("hello", name, value) == []


def test_the_agents_own_words_count_once_the_user_has_answered():
    call = ToolCall("look", {"city": "Lima"})
    offer = Turn(2, "assistant", "Shall I take Lima?")

    assert flags((Turn(1, "user", "hi"), offer, Turn(3, "assistant", "", tool_calls=(call,)))) == [True]
    assert flags((offer, Turn(3, "user", "yes"), Turn(4, "assistant", "", tool_calls=(call,)))) == [False]


def test_a_result_grounds_later_calls_only():
    first = ToolCall("look", {"city": "Lima"}, ToolResult({"city": "Lima"}))

    assert flags((Turn(1, "assistant", "", tool_calls=(first, ToolCall("see", {"city": "Lima"}))),)) == [True, False]


def test_five_megabytes_of_result_are_searched():
    big = ToolCall("look", {}, ToolResult("act as " * 700_000))
    then = ToolCall("see", {"city": "Ouagadougou", "day": "2024-05-21", "amount": 77.5})

    assert flags((Turn(1, "assistant", "", tool_calls=(big, then)),)) == [True, True, True]


def issues(said, call, options=None):
    turns = (Turn(1, "user", said), Turn(2, "assistant", "", tool_calls=(call,)))
    conversation = Conversation(key=b"k", conversation_id="c", agent_version="v", turns=turns)
    return list(Grounding(Context(conversation, options or Options(), SchemaShelf())).check())


@pytest.mark.parametrize(
    ("tool_name", "argument", "value", "severity"),
    [
        ("find_shop", "city", "Ouagadougou", "warning"),
        ("book_table", "city", "Ouagadougou", "error"),
        ("book_table", "guests", "['Otto Ray']", "error"),
        ("find_shop", "query", "violin strings", "info"),
        ("send_mail", "subject", "violin strings", "warning"),
    ],
)
def test_a_value_that_need_not_be_said_as_it_is_makes_a_less_grave_issue(tool_name, argument, value, severity):
    found = issues("what can you do for me", ToolCall(tool_name, {argument: value}))

    assert [(one.type, one.severity) for one in found] == [("ungrounded_argument", severity)]


def test_only_what_is_reported_counts_as_ungrounded():
    turns = (
        Turn(1, "user", "what can you do for me"),
        Turn(2, "assistant", "", tool_calls=(ToolCall("look", {"query": "violin strings", "token": "k7f3-99ab"}),)),
    )
    conversation = Conversation(key=b"k", conversation_id="c", agent_version="v", turns=turns)
    grounding = Grounding(Context(conversation, Options(), SchemaShelf()))

    found = list(grounding.check())

    assert (grounding.checked, grounding.ungrounded, len(found)) == (1, 1, 1)


def test_arguments_that_the_operator_calls_free_text_are_not_looked_up():
    call = ToolCall("look", {"query": "violin strings", "wish": "violin strings"})

    found = issues("what can you do for me", call, Options(free_text_arguments=("query", "wish")))

    assert found == []


@pytest.mark.parametrize(("value", "found"), [("KX77", [True]), ("QQ12", [False]), ("print", [])])
def test_a_code_that_somebody_gave_is_looked_up_and_a_program_is_not(value, found):
    assert [not one for one in flagged("it is KX77", "pickup_code", value)] == found
