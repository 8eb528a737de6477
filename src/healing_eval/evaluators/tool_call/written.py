"""Did the agent write a call into its reply instead of making it?

Only a complete call counts: the name of a given tool with literal arguments that fit its schema, as `name(a=1)`, as
a JSON object with a name and arguments, or as the name with an object of arguments behind it. A sketch such as
`name(data)` or `name()` is talk about the tool, unless the reply says what `data` is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple, cast

from healing_eval.domain.conversation import Conversation, ToolDefinition, Turn
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.tool_call.context import Context
from healing_eval.evaluators.tool_call.literals import code_arguments, object_arguments, plain_object
from healing_eval.evaluators.tool_call.tools import plain_name
from healing_eval.evaluators.values.text import fold

_NAME = re.compile(r"(?<![\w.-])[A-Za-z_][\w.-]{2,}$")
_NAMED = re.compile(r'\{\s{0,20}"(?:type"\s{0,5}:\s{0,5}"function",\s{0,20}")?name"\s{0,5}:\s{0,5}"([\w./-]{2,80})"')
_DEFINED = re.compile(r"\b(?:def|class|function)\s+$")
_MAX_CANDIDATES = 20
"""How many written calls of a conversation are read, since reading one costs as much as a page of text."""
_MAX_CHARACTERS = 2_000
_NEAR = 300
"""How far behind a tool's name an object with its arguments may begin."""
_MAX_NAME = 80
_MAX_PARTS = 40
_MAX_TOOLS = 128


class Written(NamedTuple):
    """A call as text, and the turn that holds it."""

    turn: Turn
    tool_name: str
    arguments: dict[str, Any]
    text: str


def check_written(context: Context) -> Iterator[Issue]:
    """Report complete calls that stand in a reply, where the agent did not also make a call of the same tool."""
    for written in _unmade(context.conversation):
        schema = context.schema(written.tool_name)
        if schema.errors is None or schema.errors(written.arguments):
            continue
        yield issue(
            "written_call",
            f"The agent wrote a call of {written.tool_name[:80]!r} into its reply instead of making it.",
            turn_id=written.turn.turn_id,
            tool_name=written.tool_name,
            evidence=written.text,
        )


def writes_calls(conversation: Conversation) -> bool:
    """Whether a reply holds what looks like a call of a given tool, so that the evaluator has something to look at."""
    return next(_unmade(conversation), None) is not None


def _unmade(conversation: Conversation) -> Iterator[Written]:
    """Give the written calls of tools that were not also called before the user's next word.

    Half of the arguments must come from what the user said: an example in an explanation has made-up ones.
    """
    tools: dict[str, ToolDefinition] = {}
    made: set[tuple[int, str]] = set()
    heard = ""
    left = _MAX_CANDIDATES
    for stretch, turn, place in _places(conversation) if conversation.tools else ():
        if not tools:  # only now, since most conversations hold nothing that looks like a call
            tools = {plain_name(tool.name): tool for tool in conversation.tools if tool.parameters}
            made, heard = _made(conversation), _heard(conversation)
        name = _known_name(place.name, tools)
        if name is None or (stretch, name) in made:
            continue
        arguments = place.arguments(turn.content, tools[name])
        if arguments and _is_mostly_heard(arguments, heard):
            made.add((stretch, name))  # once is enough
            yield Written(turn, tools[name].name, arguments, turn.content[place.start : place.start + 300])
        left -= 1
        if left == 0:
            return


def _known_name(written: str, tools: Mapping[str, ToolDefinition]) -> str | None:
    """The plain name of the tool that is meant, which may stand behind that of a module, as in "functions.search"."""
    while plain_name(written) not in tools:
        _, dot, written = written.partition(".")
        if not dot:
            return None
    return plain_name(written)


def _made(conversation: Conversation) -> set[tuple[int, str]]:
    """The tools that were called, each with the number of the user's turns before the call."""
    made: set[tuple[int, str]] = set()
    stretch = 0
    for turn in conversation.turns:
        stretch += turn.role == "user"
        made.update((stretch, plain_name(call.tool_name)) for call in turn.tool_calls)
    return made


class _Place(NamedTuple):
    """Where a call may begin in a text, and the name that stands there."""

    start: int
    name: str
    end: int
    """Right after the opening bracket; after the name in an object; where an object of arguments begins."""
    form: Literal["code", "object", "arguments"]

    def arguments(self, content: str, tool: ToolDefinition) -> dict[str, Any] | None:
        if self.form == "object":
            return object_arguments(content[self.start : self.start + _MAX_CHARACTERS])
        if self.form == "arguments":
            found = plain_object(content[self.end : self.end + _MAX_CHARACTERS])
            properties = (tool.parameters or {}).get("properties")
            return found if found and isinstance(properties, dict) and properties.keys() >= found.keys() else None
        if _DEFINED.search(content[max(0, self.start - 12) : self.start]):
            return None
        return code_arguments(content, self.end, tool)


def _places(conversation: Conversation) -> Iterator[tuple[int, Turn, _Place]]:
    """Give each place in the agent's words where a call may begin, with the number of the user's turns before it."""
    stretch = 0
    for turn in conversation.turns:
        if turn.role == "user":
            stretch += 1
        elif turn.role == "assistant" and not turn.tool_calls:
            for place in chain(_brackets(turn.content), _objects(turn.content)):
                yield stretch, turn, place
            if "{" in turn.content:
                for place in _arguments_alone(turn.content, conversation.tools):
                    yield stretch, turn, place


def _brackets(content: str) -> Iterator[_Place]:
    bracket = content.find("(")
    while bracket >= 0:
        if bracket and (content[bracket - 1].isalnum() or content[bracket - 1] == "_"):
            name = _NAME.search(content[max(0, bracket - _MAX_NAME) : bracket])
            if name:
                yield _Place(bracket - len(name[0]), name[0], bracket + 1, "code")
        bracket = content.find("(", bracket + 1)


def _objects(content: str) -> Iterator[_Place]:
    key = content.find('"name"')
    while key >= 0:
        start = content.rfind("{", max(0, key - _MAX_NAME), key)
        found = _NAMED.match(content, start) if start >= 0 else None
        if found:
            yield _Place(start, found[1], found.end(), "object")
        key = content.find('"name"', key + 1)


def _arguments_alone(content: str, tools: Sequence[ToolDefinition]) -> Iterator[_Place]:
    """Give where a tool is named and an object follows, as in "call get_weather with {...}"."""
    for tool in tools[:_MAX_TOOLS]:
        start = content.find(tool.name)
        begins = content.find("{", start, start + len(tool.name) + _NEAR) if start >= 0 else -1
        if begins >= 0:
            yield _Place(start, tool.name, begins, "arguments")


def _heard(conversation: Conversation) -> str:
    return f" {fold(' '.join(turn.content for turn in conversation.turns if turn.role == 'user'))} "


def _is_mostly_heard(arguments: Mapping[str, Any], heard: str) -> bool:
    """Whether at least half of the values come from what the user said; an example has made-up ones."""
    told = [
        _is_heard(value, heard) for value in arguments.values() if value is not None and not isinstance(value, bool)
    ]
    return any(told) and 2 * sum(told) >= len(told)


def _is_heard(value: Any, heard: str) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    parts = cast("list[Any]", value) if isinstance(value, list) else [value]
    return any(f" {fold(str(part)[:200])} " in heard for part in parts[:_MAX_PARTS] if fold(str(part)[:200]))
