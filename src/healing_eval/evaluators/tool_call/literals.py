"""Which arguments does a call hold that stands in a text as code?

Only values that can be read off the text count: literals, and names that the same text binds to a literal above the
call, as code in a reply does. Anything that would have to be computed makes the whole call unreadable.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import Any, cast

from healing_eval.domain.conversation import ToolDefinition

_BRACKET = re.compile(r"""[()]|"[^"\n]*"|'[^'\n]*'""")
_MAX_CHARACTERS = 2_000
_MAX_BINDING_LINES = 12
_MAX_NAMES = 16
_ARGUMENTS = ("arguments", "parameters")
_JSON_WORDS = {"true": True, "false": False, "null": None}


class _Unreadable(ValueError):
    """Raised for a value that would have to be computed."""


def code_arguments(content: str, end: int, tool: ToolDefinition) -> dict[str, Any] | None:
    """The arguments of a call, read from behind its opening bracket, which ends at `end`; None if they cannot be."""
    inside = _up_to_its_end(content[end : end + _MAX_CHARACTERS])
    if inside is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = ast.parse(f"f({inside}", mode="eval").body
            return _Reader(content[max(0, end - _MAX_CHARACTERS) : end]).arguments(call, tool)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None


def object_arguments(text: str) -> dict[str, Any] | None:
    """The arguments in a JSON object that names a tool."""
    item = plain_object(text)
    given = next((item[name] for name in _ARGUMENTS if name in item), None) if item else None
    return cast("dict[str, Any]", given) if isinstance(given, dict) else None


def plain_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text begins with."""
    try:
        item, _ = json.JSONDecoder().raw_decode(text[:_MAX_CHARACTERS])
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", item) if isinstance(item, dict) else None


def _up_to_its_end(text: str) -> str | None:
    """Cut where the bracket opened before the text is closed, what stands in quotes not counted."""
    depth = 1
    for found in _BRACKET.finditer(text):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth == 0:
            return text[: found.end()]
    return None


class _Reader:
    """Reads values, with what was bound in the text above."""

    def __init__(self, above: str) -> None:
        self._above = above
        self._names_left = _MAX_NAMES

    def arguments(self, call: ast.expr, tool: ToolDefinition) -> dict[str, Any] | None:
        properties = (tool.parameters or {}).get("properties")
        declared = cast("dict[str, Any]", properties) if isinstance(properties, dict) else {}
        if not isinstance(call, ast.Call):
            return None
        given = [self._value(one) for one in call.args]
        named = [(one.arg, self._value(one.value)) for one in call.keywords]
        if len(given) == 1 and isinstance(given[0], dict) and not named and declared.keys() >= given[0].keys():
            return cast("dict[str, Any]", given[0])  # an object with all of them
        if len(given) > len(declared):
            return None
        found: dict[str, Any] = dict(zip(declared, given, strict=False))
        for name, value in named:
            if name is not None:
                found[name] = value
            elif isinstance(value, dict):
                found.update(cast("dict[str, Any]", value))
            else:
                return None
        return found

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return _JSON_WORDS[node.id] if node.id in _JSON_WORDS else self._bound(node.id)
        if isinstance(node, ast.Dict) and None not in node.keys:
            keys = [ast.literal_eval(key) for key in node.keys if key]
            return dict(zip(keys, [self._value(value) for value in node.values], strict=True))
        if isinstance(node, ast.List | ast.Tuple):
            return [self._value(item) for item in node.elts]
        return ast.literal_eval(node)

    def _bound(self, name: str) -> Any:
        """The literal that a line above binds to a name, the last one."""
        self._names_left -= 1
        lines = re.split(rf"(?m)^[ \t]*{re.escape(name)}[ \t]*=[ \t]*(?!=)", self._above)
        if len(lines) < 2 or self._names_left < 0:
            raise _Unreadable(name)
        rows = lines[-1].split("\n")[:_MAX_BINDING_LINES]
        for count in range(1, len(rows) + 1):
            try:
                return self._value(ast.parse("\n".join(rows[:count]).strip().rstrip(";"), mode="eval").body)
            except SyntaxError:
                continue
        raise _Unreadable(name)
