"""What do the tests of the checks need? A conversation, and the context in which a check sees it."""

from collections.abc import Callable, Iterator

import pytest

from healing_eval.domain.conversation import Conversation, ToolCall, ToolResult, Turn
from healing_eval.domain.evaluation import Issue
from healing_eval.evaluators.tool_call.context import Context
from healing_eval.evaluators.tool_call.options import Options
from healing_eval.evaluators.tool_call.tools import SchemaShelf


def make_call(tool_name, value=None, error=None, **parameters):
    return ToolCall(tool_name, parameters, ToolResult(value, error=error))


def make_context(*turns, **more):
    """Write turns as "u text", "a text", or an assistant's (text, call, ...)."""
    written = []
    for number, turn in enumerate(turns):
        if isinstance(turn, str):
            written.append(Turn(number, "user" if turn[0] == "u" else "assistant", turn[2:]))
        else:
            written.append(Turn(number, "assistant", turn[0], tool_calls=tuple(turn[1:])))
    conversation = Conversation(key=b"k", conversation_id="c", agent_version="v", turns=tuple(written), **more)
    return Context(conversation, Options(), SchemaShelf())


@pytest.fixture
def context() -> Callable[..., Context]:
    return make_context


@pytest.fixture
def call() -> Callable[..., ToolCall]:
    return make_call


@pytest.fixture
def kinds() -> Callable[[Iterator[Issue]], list[str]]:
    return lambda issues: [one.type for one in issues]
