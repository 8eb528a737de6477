"""Is a call found that the agent wrote into its reply instead of making it?"""

import pytest

from healing_eval.domain.conversation import ToolCall, ToolDefinition
from healing_eval.evaluators.tool_call.written import check_written, writes_calls

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "tags": {"type": "array"}},
    "required": ["city"],
}
TOOLS = (ToolDefinition("get_weather", parameters=SCHEMA), ToolDefinition("bare_tool"))


def replied(context, reply):
    return context("u Weather in Bonn for 3 days?", f"a {reply}", tools=TOOLS)


@pytest.mark.parametrize(
    "reply",
    [
        'get_weather(city="Bonn")',
        "```python\nprint(get_weather('Bonn', days=3))\n```",
        "Let me call get.weather(city='Bonn', tags=['a', ')']) for you.",
        'I will use {"name": "get_weather", "arguments": {"city": "Bonn"}} now.',
        '[{"type": "function", "name": "get_weather", "parameters": {"city": "Bonn"}}]',
        "functions.get_weather(city='Bonn')",
        'functions.get_weather({"city": "Bonn", "tags": [], "days": 3})',
        "place = 'Bonn'  # the city\nprint(get_weather(city=place))",
        "asked = {\n  'city': 'Bonn',\n  'days': 3,\n}\nget_weather(**asked)",
        "asked = {'city': 'Bonn'}\nget_weather(asked)",
        'Call get_weather with {"city": "Bonn"}.',
    ],
)
def test_a_complete_call_in_the_reply_was_written_and_not_made(context, kinds, reply):
    conversation = replied(context, reply)

    assert kinds(check_written(conversation)) == ["written_call"]
    assert writes_calls(conversation.conversation)


@pytest.mark.parametrize(
    "reply",
    [
        "I would use get_weather() for that.",
        "Use get_weather(data) or get_weather(**data) or get_weather('Bonn' + x).",
        "def get_weather(city='Bonn'): ...",
        "get_weather(city='Lima')",
        "get_weather(days=3)",
        "place = find()\nget_weather(city=place)",
        "get_weather(city=place)",
        "place = place\nget_weather(city=place)",
        "get_weather(**3)",
        "get_weather({'town': 'Bonn'})",
        "get_weather(city='Bonn', days=5, tags=['hot'])",
        'get_weather gives {"temperature": 3, "place": "Bonn"}',
        "get_weather gives {3}",
        "get_weather(city='Bonn', days='many')",
        "get_weather('Bonn', 3, [], 4)",
        "get_weather(city='Bonn'",
        "get_weather(city='Bonn' 3)",
        "get_weather(city=True)",
        "bare_tool(city='Bonn')",
        "other_tool(city='Bonn')",
        '{"name": "get_weather", "arguments": "Bonn"}',
        '{"name": "get_weather", "arguments": {"city": "Bonn"',
        '{"name": "get_weather"}',
    ],
)
def test_talk_about_a_tool_and_made_up_examples_are_left_alone(context, reply):
    assert list(check_written(replied(context, reply))) == []


def test_a_call_that_was_also_made_was_only_announced(context):
    made = ToolCall("get_weather", {"city": "Bonn"})

    conversation = context("u Bonn?", "a get_weather(city='Bonn')", ("", made), tools=TOOLS)

    assert list(check_written(conversation)) == []


def test_the_same_written_call_is_reported_once_for_each_word_of_the_user(context, kinds):
    reply = "a get_weather('Bonn') and get_weather('Bonn')"

    assert kinds(check_written(context("u Bonn?", reply, "u Hm?", reply, tools=TOOLS))) == ["written_call"] * 2


@pytest.mark.parametrize(
    "part",
    ["get_weather(", "get_weather('", "get_weather('Bonn', [", "a-", "get_weather", '{"name": "get_weather"', "{ "],
)
def test_a_megabyte_of_openings_is_read(context, part):
    assert list(check_written(replied(context, part * (1_000_000 // len(part))))) == []
