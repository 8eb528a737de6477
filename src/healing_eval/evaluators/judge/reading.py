"""What did the model answer?

Models wrap JSON in fences and prose, write numbers as strings and forget empty lists; all that is read. What is out of
range, cut off or of another shape is not guessed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, cast

import msgspec

from healing_eval.errors import UnreadableVerdict
from healing_eval.evaluators.judge.rubric import BEST_SCORE

MAX_ANSWER_CHARACTERS = 200_000
MAX_STARTS = 8
MAX_QUOTES = 20
MAX_ISSUES = 50
MAX_TEXT = 2_000

# An unterminated string matches up to the end, so that no character is looked at twice.
_STRING_OR_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+(?:"|\\?\Z))|,(?=\s*[}\]])', re.DOTALL)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class Quote(msgspec.Struct, frozen=True):
    """What the model says stands in a turn."""

    turn_id: str | None
    text: str


class Criterion(msgspec.Struct, frozen=True):
    """One criterion's grade."""

    name: str
    score: float
    """From 0 to 5."""
    evidence: tuple[Quote, ...]
    reason: str


class Claim(msgspec.Struct, frozen=True):
    """An issue as the model reports it, unchecked."""

    type: str
    severity: str
    quote: Quote
    description: str


class Answer(msgspec.Struct, frozen=True):
    """Everything the model said, unchecked."""

    criteria: tuple[Criterion, ...]
    issues: tuple[Claim, ...]


class _Unfit(Exception):
    """Why an answer has the wrong shape, in our own words: nothing of the answer itself."""


def read_answer(text: str, *, criteria: Sequence[str], nonce: str) -> Answer:
    """Read a model's answer.

    Args:
        text: what the model said.
        criteria: names that must all be graded; others are ignored.
        nonce: what the answer must repeat.

    Raises:
        UnreadableVerdict: it is no JSON, of another shape, out of range, or does not repeat the nonce.
    """
    try:
        document = _find_document(text[:MAX_ANSWER_CHARACTERS], "criteria")
        if document.get("nonce") != nonce:
            raise _Unfit("the nonce was not repeated")
        return _answer(document, criteria)
    except _Unfit as error:
        raise UnreadableVerdict(str(error), raw_answer=text) from error


def read_answers(text: str, *, criteria: Sequence[str], nonces: Sequence[str]) -> list[Answer | None]:
    """Read a model's answer about several conversations.

    Args:
        text: what the model said.
        criteria: as in `read_answer`.
        nonces: one of each conversation.

    Returns:
        For each nonce its answer; None where there is none, more than one, or one that cannot be read.
    """
    try:
        document = _find_document(text[: MAX_ANSWER_CHARACTERS * len(nonces)], "answers")
        items = _list(document, "answers")
    except _Unfit:
        return [None] * len(nonces)
    by_nonce: dict[str, list[dict[str, Any]]] = {}
    for item in (cast("dict[str, Any]", item) for item in items if isinstance(item, dict)):
        by_nonce.setdefault(str(item.get("nonce")), []).append(item)
    return [_only(by_nonce.get(nonce, []), criteria) for nonce in nonces]


def _only(items: Sequence[dict[str, Any]], criteria: Sequence[str]) -> Answer | None:
    """Read the one answer; two with one nonce contradict each other, so neither is believed."""
    try:
        return _answer(items[0], criteria) if len(items) == 1 else None
    except _Unfit:
        return None


def _answer(document: dict[str, Any], criteria: Sequence[str]) -> Answer:
    graded = tuple(_criterion(item, criteria) for item in _list(document, "criteria"))
    by_name = {one.name: one for one in graded if one is not None}
    for name in criteria:
        if name not in by_name:
            raise _Unfit(f"criterion {name} is missing")
    issues = tuple(_claim(item) for item in _list(document, "issues")[:MAX_ISSUES])
    return Answer(tuple(by_name[name] for name in criteria), issues)


def _find_document(text: str, with_field: str) -> dict[str, Any]:
    if not text.strip():
        raise _Unfit("the answer is empty")
    text = text.replace("\x00", "")
    for mend in (str, _without_trailing_commas):
        for document in _documents(mend(text)):
            if with_field in document:
                return document
    raise _Unfit(f"the answer holds no complete JSON object with {with_field}")


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """Decode at the first few braces only: each try may read to the end."""
    start = text.find("{")
    for _ in range(MAX_STARTS):
        if start < 0:
            return
        end = start + 1
        try:
            document, end = _decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            document = None
        if isinstance(document, dict):
            yield cast("dict[str, Any]", document)
        start = text.find("{", end)


def _refuse_constant(name: str) -> NoReturn:
    raise _Unfit(f"{name} is no score")


_decoder = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)


def _without_trailing_commas(text: str) -> str:
    return _STRING_OR_COMMA.sub(lambda match: match.group(1) or "", text)


def _criterion(item: Any, known: Sequence[str]) -> Criterion | None:
    fields = _fields(item, "criteria")
    name = fields.get("name")
    if name not in known:
        return None
    quotes = (_fields(one, "evidence") for one in _list(fields, "evidence")[:MAX_QUOTES])
    evidence = tuple(Quote(_turn_id(one.get("turn_id")), _text(one.get("quote"))) for one in quotes)
    return Criterion(cast("str", name), _score(fields.get("score"), str(name)), evidence, _text(fields.get("reason")))


def _claim(item: Any) -> Claim:
    fields = _fields(item, "issues")
    return Claim(
        type=_text(fields.get("type")),
        severity=_text(fields.get("severity")),
        quote=Quote(_turn_id(fields.get("turn_id")), _text(fields.get("quote"))),
        description=_text(fields.get("description")),
    )


def _score(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _Unfit(f"the score of {name} is no number")
    try:
        score = float(value)
    except (ValueError, OverflowError):
        raise _Unfit(f"the score of {name} is no number") from None
    if not 0 <= score <= BEST_SCORE:
        raise _Unfit(f"the score of {name} is out of range, expected 0 to {BEST_SCORE}")
    return score


def _turn_id(value: Any) -> str | None:
    """Write a turn's id as text: 4, 4.0 and "4" are the same turn."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return str(value)


def _text(value: Any) -> str:
    """Clean a text; numbers are written out, anything else is no text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    text = str(value)[:MAX_TEXT]
    return (text if text.isprintable() else _CONTROL.sub("", text)).strip()


def _list(fields: dict[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Unfit(f"{name} is no list")
    return cast("list[Any]", value)


def _fields(item: Any, where: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise _Unfit(f"an entry of {where} is no object")
    return cast("dict[str, Any]", item)
