"""What did the model answer?

Models wrap JSON in fences and prose, write numbers as strings and forget empty lists; all that is read. What is out of
range, cut off or of another shape is not guessed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeVar, cast

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
_Shape = TypeVar("_Shape")
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


class _SaidQuote(msgspec.Struct):
    """As it stands in the answer: whatever stands where a text should is not looked at yet."""

    turn_id: Any = None
    quote: Any = None


class _SaidCriterion(msgspec.Struct):
    name: Any = None
    evidence: list[_SaidQuote] | None = None
    reason: Any = None
    score: Any = None


class _SaidIssue(msgspec.Struct):
    type: Any = None
    severity: Any = None
    turn_id: Any = None
    quote: Any = None
    description: Any = None


class _Said(msgspec.Struct):
    nonce: Any = None
    criteria: list[_SaidCriterion] | None = None
    issues: list[_SaidIssue] | None = None


class _SaidOfSeveral(msgspec.Struct):
    answers: list[_Said] | None = None


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
        said = _whole(text, MAX_ANSWER_CHARACTERS, _Said)
        if said is None or said.criteria is None:
            said = _shaped(_find_document(text[:MAX_ANSWER_CHARACTERS], "criteria"))
        if said.nonce != nonce:
            raise _Unfit("the nonce was not repeated")
        return _answer(said, criteria)
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
    by_nonce: dict[str, list[_Said | None]] = {}
    for nonce, said in _said_of_several(text, MAX_ANSWER_CHARACTERS * len(nonces)):
        by_nonce.setdefault(str(nonce), []).append(said)
    return [_only(by_nonce.get(nonce, ()), criteria) for nonce in nonces]


def _said_of_several(text: str, longest: int) -> Iterable[tuple[Any, _Said | None]]:
    """Give each nonce with what was said; None where that has another shape, which spoils none of the others."""
    whole = _whole(text, longest, _SaidOfSeveral)
    if whole is not None and whole.answers is not None:
        yield from ((one.nonce, one) for one in whole.answers)
        return
    with suppress(_Unfit):
        for item in _list(_find_document(text[:longest], "answers"), "answers"):
            if isinstance(item, dict):
                yield cast("dict[str, Any]", item).get("nonce"), _shaped_or_none(item)


def _whole(text: str, longest: int, kind: type[_Shape]) -> _Shape | None:
    """Read a text that is nothing but the JSON that was agreed on, as nearly all are; None if it is another one."""
    if len(text) > longest:
        return None
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _shaped(document: Any) -> _Said:
    try:
        return msgspec.convert(document, _Said)
    except msgspec.ValidationError as error:
        place = str(error).rpartition(" - at ")[2].strip("`")
        raise _Unfit(f"what stands at {place} is of another type than agreed on") from None


def _shaped_or_none(document: Any) -> _Said | None:
    try:
        return _shaped(document)
    except _Unfit:
        return None


def _only(said: Sequence[_Said | None], criteria: Sequence[str]) -> Answer | None:
    """Read the one answer; two with one nonce contradict each other, so neither is believed."""
    try:
        return _answer(said[0], criteria) if len(said) == 1 and said[0] is not None else None
    except _Unfit:
        return None


def _answer(said: _Said, criteria: Sequence[str]) -> Answer:
    by_name = {one.name: _criterion(one) for one in said.criteria or () if one.name in criteria}
    for name in criteria:
        if name not in by_name:
            raise _Unfit(f"criterion {name} is missing")
    issues = [_claim(one) for one in (said.issues or ())[:MAX_ISSUES]]
    return Answer(tuple([by_name[name] for name in criteria]), tuple(issues))


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


def _criterion(said: _SaidCriterion) -> Criterion:
    quotes = [Quote(_turn_id(one.turn_id), _text(one.quote)) for one in (said.evidence or ())[:MAX_QUOTES]]
    return Criterion(said.name, _score(said.score, said.name), tuple(quotes), _text(said.reason))


def _claim(said: _SaidIssue) -> Claim:
    quote = Quote(_turn_id(said.turn_id), _text(said.quote))
    return Claim(_text(said.type), _text(said.severity), quote, _text(said.description))


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
