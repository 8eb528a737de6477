"""What does the log line of a request say besides what every line says?

There is one line for each request. Whoever handles it, or answers its fault, notes what belongs there: counts, a class
of error, never content and never an id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from litestar.types import Scope

_NAME = "noted"


def note(scope: Scope, **fields: str | int | float) -> None:
    """Put fields into the request's log line."""
    cast("dict[str, Any]", scope).setdefault("state", {}).setdefault(_NAME, {}).update(fields)


def noted(scope: Scope) -> Mapping[str, Any]:
    """Give what was noted."""
    return cast("dict[str, Any]", scope).get("state", {}).get(_NAME, {})
