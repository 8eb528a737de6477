"""How does the OpenAPI document describe what may be asked?

As `questions` reads it, which is more than the types say.
"""

from __future__ import annotations

from typing import Any

from healing_eval.api.questions import MAX_NAMES
from healing_eval.domain.issue_types import ISSUE_TYPES
from healing_eval.domain.query import MAX_PAGE

_TIMES = ("_from", "_before")
"""How the names of fields end that are times."""
_LIMITS: dict[str, dict[str, Any]] = {
    "limit": {"minimum": 1, "maximum": MAX_PAGE},
    "min_overall": {"minimum": 0, "maximum": 1},
    "max_overall": {"minimum": 0, "maximum": 1},
}


def widen_query(schema: dict[str, Any]) -> None:
    """Say in the schema of a query's body what its fields take beside their types, and within which limits."""
    fields: dict[str, dict[str, Any]] = schema["properties"]
    fields["issue_types"]["items"] = {"type": "string", "enum": list(ISSUE_TYPES)}
    for name, field in fields.items():
        description = {"description": field["description"]} if "description" in field else {}
        widened = _widened(name, field)
        if widened.get("type") == "array":
            fields[name] = {"anyOf": [widened, field["items"]], "default": []} | description
        else:
            fields[name] = widened | description


def parameters_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Make parameters of a query string from the schema of a filter; what is a list there is repeated here."""
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": field.get("description", ""),
            "schema": _without_null(_widened(name, field)),
        }
        for name, field in schema["properties"].items()
    ]


def _widened(name: str, field: dict[str, Any]) -> dict[str, Any]:
    """Copy the schema of a field, with its limits; a time may be a plain date."""
    schema = {key: value for key, value in field.items() if key != "description"} | _LIMITS.get(name, {})
    if schema.get("type") == "array":
        schema["maxItems"] = MAX_NAMES
        schema.pop("default", None)
    if name.endswith(_TIMES):
        schema["anyOf"] = [*({"type": "string", "format": one} for one in ("date-time", "date")), {"type": "null"}]
    return schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out null, which a query string cannot say."""
    if "anyOf" not in schema:
        return schema
    kept = [one for one in schema["anyOf"] if one != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return rest | (kept[0] if len(kept) == 1 else {"anyOf": kept})
