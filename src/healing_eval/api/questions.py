"""What is asked for? Bodies and parameters become queries, or a refusal that says where, what came and what may come.

A body and a query string are read alike: what a body holds in a list, a query string repeats. One value in place of a
list of one is taken as it is meant, and a plain date as midnight UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, cast, get_args

import msgspec

from healing_eval.domain.evaluation import Outcome
from healing_eval.domain.issue_types import ISSUE_TYPES, SEVERITIES
from healing_eval.domain.query import MAX_PAGE, ConversationFilter, EvaluationQuery, Sort
from healing_eval.domain.revision import Status
from healing_eval.errors import InvalidInput, InvalidParameter
from healing_eval.formats.fields import as_number, as_text, child, inside, shown, wrong
from healing_eval.formats.jsontext import decode_body
from healing_eval.formats.repair import repair

MAX_NAMES = 1000
"""Most names in one list of a query."""

Read = Callable[[Any], Any]
"""Reads the value of a field, null excepted; pointers are relative to the field."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_POINTER_CHARACTERS = 300
_TIME = "a time with its offset from UTC, such as 2026-01-31T12:00:00Z, or a date such as 2026-01-31"


def read_query(body: bytes) -> EvaluationQuery:
    """Read the body of `POST /api/v1/evaluations/query`.

    Raises:
        NotJson: the body is none.
        InvalidInput: with the pointer to what was wrong.
    """
    repaired, _ = repair(body)
    return EvaluationQuery(**_read_fields(decode_body(repaired), _QUERY, "field"))


def read_filter(parameters: Mapping[str, Sequence[str]]) -> ConversationFilter:
    """Read the query string of `GET /api/v1/conversations`: to each parameter all its values.

    Raises:
        InvalidParameter: a parameter is unknown, or its value is not what it should be.
    """
    with parameters_named():
        return ConversationFilter(**_read_fields(parameters, _FILTER, "parameter"))


@contextmanager
def parameters_named() -> Generator[None, None, None]:
    """Say of what is refused in this block which parameter of the query string it is."""
    try:
        yield
    except InvalidInput as error:
        name = error.pointer.split("/", 2)[1].replace("~1", "/").replace("~0", "~")
        raise InvalidParameter(error.reason, parameter=name) from None


def _read_fields(given: Mapping[str, Any], readers: Mapping[str, Read], what: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in given.items():
        pointer = child("", name)
        read = readers.get(name)
        if read is None:
            reason = f"unknown {what}; expected {', '.join(readers)}"
            raise InvalidInput(reason, pointer=pointer[:_POINTER_CHARACTERS])
        if value is not None:
            with inside(pointer):
                values[name] = read(value)
    return values


def _list_of(read: Read, example: str) -> Read:
    def read_list(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str):
            return (read(value),)
        if not isinstance(value, list):
            raise wrong(f"a list such as {example}", value)
        listed = cast("list[Any]", value)
        if len(listed) > MAX_NAMES:
            raise InvalidInput(f"expected at most {MAX_NAMES} values, got {len(listed)}")
        found: list[Any] = []
        for index, one in enumerate(listed):
            with inside(f"/{index}"):
                found.append(read(one))
        return tuple(found)

    return read_list


def _one_of(choices: Sequence[str]) -> Read:
    def read_choice(value: Any) -> str:
        if value not in choices:
            raise wrong(f"one of {', '.join(choices)}", value)
        return value

    return read_choice


def _read_issue_type(value: Any) -> str:
    name = as_text(value)
    if name not in ISSUE_TYPES:
        near = get_close_matches(name[:100], ISSUE_TYPES, n=3, cutoff=0.0)
        raise InvalidInput(f"no issue type {shown(name)}; the closest known: {', '.join(near)}")
    return name


def _read_time(value: Any) -> datetime:
    text = f"{value}T00:00:00Z" if isinstance(value, str) and _DATE.fullmatch(value) else value
    try:
        time = msgspec.convert(text, datetime)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        pass
    raise wrong(_TIME, value)


def _read_limit(value: Any) -> int:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or value != value // 1 or not 1 <= value <= MAX_PAGE:
        raise wrong(f"an integer from 1 to {MAX_PAGE}", value)
    return int(value)


def _read_share(value: Any) -> float:
    return as_number(value, "", low=0, high=1)


def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong("true or false", value)
    return value


def _once(read: Read) -> Read:
    """Read a parameter that is no list, from all the values a query string gives it."""

    def read_once(values: Any) -> Any:
        if len(values) > 1:
            raise InvalidInput(f"expected one value, got {len(values)}")
        return read(values[0])

    return read_once


def _each(read: Read) -> Read:
    """Read a parameter that may be repeated; which of its values is wrong the value itself says."""
    read_all = _list_of(read, "")
    return lambda values: read_all(list(values))


def _read_limit_text(value: str) -> int:
    return _read_limit(int(value) if _INTEGER.fullmatch(value) else value)


_names = _list_of(as_text, '["c-17"]')
_versions = _list_of(as_text, '["v1"]')
_QUERY: dict[str, Read] = {
    "conversation_ids": _names,
    "agent_versions": _versions,
    "evaluators": _list_of(as_text, '["judge"]'),
    "evaluated_from": _read_time,
    "evaluated_before": _read_time,
    "min_overall": _read_share,
    "max_overall": _read_share,
    "outcome": _list_of(_one_of(get_args(Outcome)), '["fail"]'),
    "has_issues": _read_flag,
    "issue_types": _list_of(_read_issue_type, '["tool_failure"]'),
    "min_severity": _one_of(SEVERITIES),
    "sort": _one_of(get_args(Sort)),
    "limit": _read_limit,
    "cursor": as_text,
}
_FILTER: dict[str, Read] = {
    "status": _each(_one_of(get_args(Status))),
    "agent_versions": _each(as_text),
    "accepted_from": _once(_read_time),
    "accepted_before": _once(_read_time),
    "limit": _once(_read_limit_text),
    "cursor": _once(as_text),
}
assert tuple(_QUERY) == EvaluationQuery.__struct_fields__
assert tuple(_FILTER) == ConversationFilter.__struct_fields__
