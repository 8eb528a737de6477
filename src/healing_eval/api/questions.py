"""What is asked for? Bodies and parameters become queries, or a refusal that names the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

from healing_eval.domain.query import MAX_PAGE, ConversationFilter, EvaluationQuery
from healing_eval.errors import InvalidInput

MAX_NAMES = 1000
"""Most names in one list of a query."""

_decode = msgspec.json.Decoder(EvaluationQuery).decode
_PATH_PART = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_UNKNOWN_FIELD = re.compile(r"unknown field `([^`]*)`")


def read_query(body: bytes) -> EvaluationQuery:
    """Read the body of `POST /api/v1/evaluations/query`.

    Raises:
        InvalidInput: with the pointer to what was wrong.
    """
    try:
        query = _decode(body)
    except msgspec.ValidationError as error:
        raise _refusal(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}"[:300]) from None
    _check_limit(query.limit)
    for name in ("min_overall", "max_overall"):
        value = getattr(query, name)
        if value is not None and not 0 <= value <= 1:
            raise InvalidInput(f"expected a number from 0 to 1, got {value}", pointer=f"/{name}")
    for name in ("evaluated_from", "evaluated_before"):
        _check_time(getattr(query, name), name)
    for name in ("conversation_ids", "agent_versions", "evaluators", "issue_types"):
        _check_names(getattr(query, name), name)
    return query


def check_filter(chosen: ConversationFilter, given: Mapping[str, object]) -> ConversationFilter:
    """Check what cannot be said in the types of the parameters.

    Args:
        chosen: the filter, read from the parameters.
        given: the parameters of the request.

    Raises:
        InvalidInput: a parameter is unknown, or its value is out of range; the pointer names it.
    """
    known = ConversationFilter.__struct_fields__
    for name in given:
        if name not in known:
            raise InvalidInput(f"unknown parameter {name[:100]!a}; expected one of {', '.join(known)}")
    _check_limit(chosen.limit)
    _check_time(chosen.accepted_from, "accepted_from")
    _check_time(chosen.accepted_before, "accepted_before")
    _check_names(chosen.agent_versions, "agent_versions")
    return chosen


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput(f"expected an integer from 1 to {MAX_PAGE}, got {limit}", pointer="/limit")


def _check_time(value: datetime | None, name: str) -> None:
    if value is not None and value.tzinfo is None:
        raise InvalidInput("expected a time with its offset from UTC, such as 2026-01-31T12:00:00Z", pointer=f"/{name}")


def _check_names(values: tuple[str, ...], name: str) -> None:
    if len(values) > MAX_NAMES:
        raise InvalidInput(f"expected at most {MAX_NAMES} values, got {len(values)}", pointer=f"/{name}")


def _refusal(error: msgspec.ValidationError) -> InvalidInput:
    """Turn what msgspec says around: it says what it expected, then where, as `$.name[...]`."""
    reason, _, path = str(error).partition(" - at `$")
    parts = [name or ("" if index == "..." else index) for name, index in _PATH_PART.findall(path)]
    pointer = "".join(f"/{part}" for part in parts if part)
    unknown = _UNKNOWN_FIELD.search(reason)
    if unknown:
        pointer = f"{pointer}/{unknown.group(1)}"[:300]
        reason = f"unknown field; expected {', '.join(EvaluationQuery.__struct_fields__)}"
    return InvalidInput(reason[:1].lower() + reason[1:], pointer=pointer)
