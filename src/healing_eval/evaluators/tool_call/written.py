"""Did the agent write a call into its reply instead of making it?

Only a complete call counts: the name of a given tool with literal arguments that fit its schema, as `name(a=1)` or as
a JSON object with a name and arguments. A sketch such as `name(data)` or `name()` is talk about the tool.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from healing_eval.domain.conversation import Conversation, ToolDefinition, Turn
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.tool_call.context import Context
from healing_eval.evaluators.tool_call.tools import plain_name
from healing_eval.evaluators.values.text import fold

_NAME = re.compile(r"(?<![\w.-])[A-Za-z_][\w.-]{2,}$")
_NAMED = re.compile(r'\{\s{0,20}"(?:type"\s{0,5}:\s{0,5}"function",\s{0,20}")?name"\s{0,5}:\s{0,5}"([\w./-]{2,80})"')
_BRACKET = re.compile(r"""[()]|"[^"\n]*"|'[^'\n]*'""")
_DEFINED = re.compile(r"\b(?:def|class|function)\s+$")
_ARGUMENTS = ("arguments", "parameters")
_MAX_CANDIDATES = 20
"""How many written calls of a conversation are read, since reading one costs as much as a page of text."""
_MAX_CHARACTERS = 2_000
_MAX_NAME = 80
_MAX_PARTS = 40


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

    At least one argument must come from what the user said: an example in an explanation has made-up ones.
    """
    tools: dict[str, ToolDefinition] = {}
    made: set[tuple[int, str]] = set()
    heard = ""
    left = _MAX_CANDIDATES
    for stretch, turn, place in _places(conversation) if conversation.tools else ():
        if not tools:  # only now, since most conversations hold nothing that looks like a call
            tools = {plain_name(tool.name): tool for tool in conversation.tools if tool.parameters}
            made, heard = _made(conversation), _heard(conversation)
        name = plain_name(place.name)
        if name not in tools or (stretch, name) in made:
            continue
        arguments = place.arguments(turn.content, tools[name])
        if arguments and any(_is_heard(value, heard) for value in arguments.values()):
            made.add((stretch, name))  # once is enough
            yield Written(turn, tools[name].name, arguments, turn.content[place.start : place.start + 300])
        left -= 1
        if left == 0:
            return


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
    """Right after the opening bracket, or after the name in an object."""
    is_json: bool

    def arguments(self, content: str, tool: ToolDefinition) -> dict[str, Any] | None:
        if self.is_json:
            return _json_arguments(content[self.start : self.start + _MAX_CHARACTERS])
        if _DEFINED.search(content[max(0, self.start - 12) : self.start]):
            return None
        return _python_arguments(content[self.end : self.end + _MAX_CHARACTERS], tool)


def _places(conversation: Conversation) -> Iterator[tuple[int, Turn, _Place]]:
    """Give each place in the agent's words where a call may begin, with the number of the user's turns before it."""
    stretch = 0
    for turn in conversation.turns:
        if turn.role == "user":
            stretch += 1
        elif turn.role == "assistant" and not turn.tool_calls:
            for place in (*_brackets(turn.content), *_objects(turn.content)):
                yield stretch, turn, place


def _brackets(content: str) -> Iterator[_Place]:
    bracket = content.find("(")
    while bracket >= 0:
        if bracket and (content[bracket - 1].isalnum() or content[bracket - 1] == "_"):
            name = _NAME.search(content[max(0, bracket - _MAX_NAME) : bracket])
            if name:
                yield _Place(bracket - len(name[0]), name[0], bracket + 1, is_json=False)
        bracket = content.find("(", bracket + 1)


def _objects(content: str) -> Iterator[_Place]:
    key = content.find('"name"')
    while key >= 0:
        start = content.rfind("{", max(0, key - _MAX_NAME), key)
        found = _NAMED.match(content, start) if start >= 0 else None
        if found:
            yield _Place(start, found[1], found.end(), is_json=True)
        key = content.find('"name"', key + 1)


def _heard(conversation: Conversation) -> str:
    return f" {fold(' '.join(turn.content for turn in conversation.turns if turn.role == 'user'))} "


def _is_heard(value: Any, heard: str) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    parts = cast("list[Any]", value) if isinstance(value, list) else [value]
    return any(f" {fold(str(part)[:200])} " in heard for part in parts[:_MAX_PARTS] if fold(str(part)[:200]))


def _python_arguments(text: str, tool: ToolDefinition) -> dict[str, Any] | None:
    """The arguments of a call, read from behind its opening bracket, when all are literals."""
    inside = _up_to_its_end(text)
    if inside is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _literals(ast.parse(f"f({inside}", mode="eval").body, tool)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None


def _up_to_its_end(text: str) -> str | None:
    """Cut where the bracket opened before the text is closed, what stands in quotes not counted."""
    depth = 1
    for found in _BRACKET.finditer(text):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth == 0:
            return text[: found.end()]
    return None


def _literals(call: ast.expr, tool: ToolDefinition) -> dict[str, Any] | None:
    properties = (tool.parameters or {}).get("properties")
    declared = cast("dict[str, Any]", properties) if isinstance(properties, dict) else {}
    if not isinstance(call, ast.Call) or len(call.args) > len(declared):
        return None
    in_order = zip(declared, call.args, strict=False)
    return {
        **{name: ast.literal_eval(value) for name, value in in_order},
        **{one.arg: ast.literal_eval(one.value) for one in call.keywords if one.arg},
    }


def _json_arguments(text: str) -> dict[str, Any] | None:
    try:
        item, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    given = next((item[name] for name in _ARGUMENTS if name in item), None)
    return cast("dict[str, Any]", given) if isinstance(given, dict) else None
