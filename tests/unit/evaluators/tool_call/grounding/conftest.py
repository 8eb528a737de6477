"""Values looked up in one conversation."""

import pytest

from healing_eval.domain.conversation import Conversation, ToolCall, Turn
from healing_eval.evaluators.tool_call.context import Context
from healing_eval.evaluators.tool_call.grounding.check import Grounding
from healing_eval.evaluators.tool_call.options import Options
from healing_eval.evaluators.tool_call.tools import SchemaShelf


@pytest.fixture
def grounded():
    """Say what the user said and one argument or more; get whether each value has a ground, in order."""

    def ask(said, tool_name="look", **arguments):
        call = ToolCall(tool_name, arguments)
        turns = (Turn(1, "user", said), Turn(2, "assistant", "", tool_calls=(call,)))
        conversation = Conversation(key=b"k", conversation_id="c", agent_version="v", turns=turns)
        return [found for _, _, found in Grounding(Context(conversation, Options(), SchemaShelf())).values()]

    return ask
