"""What is known about the tools of a conversation?"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

import jsonschema_rs
import msgspec

from healing_eval.domain.conversation import ToolDefinition

_NOT_IN_NAMES = re.compile(r"[._\-/: ]+")
_KEPT_SCHEMAS = 1024
_LONGEST_NAME = 1000
_OWN_TYPES: Mapping[str, str | None] = {
    "dict": "object",
    "map": "object",
    "float": "number",
    "double": "number",
    "int": "integer",
    "long": "integer",
    "str": "string",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "set": "array",
    "none": "null",
    "any": None,
}
"""Types that logs really hold, named after programming languages, to those of JSON Schema; None: anything goes."""

Validator = Callable[[Any], list[jsonschema_rs.ValidationError]]


class ToolSchema(msgspec.Struct, frozen=True):
    """A tool's schema, made ready once."""

    errors: Validator | None
    """Lists all errors of some arguments; None when there is no schema, or it is not usable."""
    properties: dict[str, Any]
    closed: bool
    """Whether undeclared arguments are an error although the schema does not say so."""
    required: frozenset[str] = frozenset()
    """The arguments that must be given."""
    fault: str | None = None
    """Why the schema is unusable."""


NO_SCHEMA = ToolSchema(None, {}, closed=False)


def plain_name(name: str) -> str:
    """Fold a tool's name, its first 1,000 characters: providers send a dot as an underscore or a hyphen."""
    return _plain_name(name[:_LONGEST_NAME])


@lru_cache(maxsize=4096)
def _plain_name(name: str) -> str:
    return _NOT_IN_NAMES.sub("_", name).casefold()


def _offline(uri: str) -> Any:
    raise ValueError(f"a tool's schema refers to {uri[:100]!r}, and nothing is fetched")


class SchemaShelf:
    """Compiled schemas, the least recently used ones dropped. Shared by all conversations."""

    def __init__(self, capacity: int = _KEPT_SCHEMAS) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[bytes, ToolSchema] = OrderedDict()

    def get(self, definition: ToolDefinition) -> ToolSchema:
        """The definition's schema, compiled at most once while it is kept."""
        if definition.parameters is None:
            return NO_SCHEMA
        key = msgspec.json.encode(definition.parameters)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = _compile(definition.parameters)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return found


def _compile(parameters: dict[str, Any]) -> ToolSchema:
    schema = cast("dict[str, Any]", _standard(parameters, 0))
    raw = schema.get("properties")
    properties = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    listed = schema.get("required")
    required = frozenset(name for name in cast("list[Any]", listed or []) if isinstance(name, str))
    composed = any(word in schema for word in ("patternProperties", "allOf", "anyOf", "oneOf", "$ref", "if"))
    closed = bool(properties) and not composed and "additionalProperties" not in schema
    try:
        validator = jsonschema_rs.validator_for(schema, validate_formats=True, retriever=_offline)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return ToolSchema(None, properties, closed=False, required=required, fault=str(error)[:200])
    return ToolSchema(lambda arguments: list(validator.iter_errors(arguments)), properties, closed, required)


_MAX_DEPTH = 64


def _standard(node: Any, depth: int) -> Any:
    """Copy a schema with foreign type names made standard; what lies deeper than any real schema is left out."""
    if depth > _MAX_DEPTH:
        return {}
    if isinstance(node, list):
        return [_standard(item, depth + 1) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    copied: dict[str, Any] = {}
    for name, value in cast("dict[str, Any]", node).items():
        if name == "type" and isinstance(value, str):
            kind = _OWN_TYPES.get(value.lower(), value)
            if kind is not None:
                copied[name] = kind
        elif name in ("enum", "const", "default", "examples"):
            copied[name] = value
        elif name == "required" and not isinstance(value, list):
            continue  # draft 3 wrote a boolean into the property
        else:
            copied[name] = _standard(value, depth + 1)
    return copied
