"""What do the checks look at?"""

from healing_eval.domain.conversation import Conversation, ToolCall, ToolResult, Turn
from healing_eval.evaluators.tool_call.context import Context, result_text
from healing_eval.evaluators.tool_call.options import Options
from healing_eval.evaluators.tool_call.tools import SchemaShelf


def context(*turns, **options):
    conversation = Conversation(key=b"k", conversation_id="c", agent_version="v", turns=turns)
    return Context(conversation, Options(**options), SchemaShelf())


def test_only_the_agents_calls_are_listed_with_what_was_known_before_each():
    seen = context(
        Turn(1, "user", "hi", tool_calls=(ToolCall("own"),)),
        Turn(2, "assistant", "a", tool_calls=(ToolCall("see", {}, ToolResult({"x": 1})), ToolCall("look"))),
    )

    assert [(one.call.tool_name, one.known_pieces, one.users_turns) for one in seen.calls] == [
        ("see", 1, 1),
        ("look", 2, 1),
    ]


def test_a_tool_whose_name_holds_a_verb_of_change_writes():
    assert context().verb("bookFlight") == "book"
    assert context().verb("look_up") is None
    assert context(write_verbs=("Zap",)).verb("zap_it") == "zap"


def test_the_words_of_a_result_stand_apart():
    assert result_text(ToolResult({"a": 'x\ny"z'})) == '{"a":"x  y "z"}'
