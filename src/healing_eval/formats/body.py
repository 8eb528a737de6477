"""Which conversations are in the body of a POST, and which of them cannot be taken?

Each item that was sent has one answer, in its place. A line of NDJSON is an item, whatever is on it: two broken lines
in a row are two items, so that a sender can tell which answer is to which line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from healing_eval.domain.revision import Submission
from healing_eval.errors import InvalidInput, LimitExceeded, NotJson
from healing_eval.formats.item import read_item
from healing_eval.formats.jsontext import not_json
from healing_eval.formats.limits import WireLimits
from healing_eval.formats.split import RawItem, iter_items

NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})

_MANY_COMMAS = 1_000_000
"""With more, the array may have millions of elements, so they are counted before they are kept."""
_POINTER = "/conversations"
_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb"[^\s\x1e][^\n]*")
"""A line from its first byte that is no space; the record separator (RFC 7464) is taken as one."""


class Rejection(msgspec.Struct, frozen=True):
    """An item that was not taken."""

    index: int
    """Its position in the request, from 0."""
    conversation_id: str | None
    """None when it has none that can be read."""
    pointer: str
    """JSON Pointer relative to the item."""
    reason: str


class _Envelope(msgspec.Struct):
    conversations: list[msgspec.Raw]


class _Named(msgspec.Struct):
    conversation_id: str


_read_envelope = msgspec.json.Decoder(_Envelope).decode
_read_name = msgspec.json.Decoder(_Named).decode


def read_body(body: bytes, content_type: str, *, project: str, limits: WireLimits) -> list[Submission | Rejection]:
    """Read the body of `POST /api/v1/conversations`.

    Args:
        body: an envelope `{"conversations": […]}`, or NDJSON if the content type says so.
        content_type: as the header has it; parameters are ignored.
        project: to whom the conversations belong.
        limits: what the sender may send.

    Returns:
        What became of each item, in order: a bad one never costs the good ones.

    Raises:
        NotJson: the body is none, and nothing in it can be told apart.
        InvalidInput: the body as a whole is nothing that could hold conversations.
        LimitExceeded: it holds more than `limits.batch`.
    """
    if content_type.partition(";")[0].strip().lower() in NDJSON_TYPES:
        items = _at_most(limits.batch, _lines_of(body))
        if not items:
            raise NotJson("the body is empty; expected one conversation on each line")
        return [_read(item, project, limits) for item in items]
    return [_read(item, project, limits) for item in _items_of(body, limits.batch)]


def _lines_of(body: bytes) -> Iterator[RawItem]:
    """Take the lines that are not blank, each an item of its own."""
    for index, line in enumerate(_LINE.finditer(body.removeprefix(_BOM))):
        yield RawItem(index, 1, line.group().rstrip())


def _items_of(body: bytes, most: int) -> list[RawItem]:
    """Take the envelope apart, in one go if all of it is JSON."""
    if body.count(b",") > _MANY_COMMAS:
        return _salvage(body, most, InvalidInput("holds no array of conversations", pointer=_POINTER))
    try:
        raws = _read_envelope(body.removeprefix(_BOM)).conversations
    except msgspec.ValidationError as error:
        raise _no_envelope(error) from None
    except msgspec.DecodeError as error:
        return _salvage(body, most, not_json(body, error))
    except UnicodeDecodeError:
        return _salvage(body, most, NotJson("is not UTF-8"))
    except RecursionError:
        return _salvage(body, most, InvalidInput("is nested too deeply"))
    if not raws:
        raise _empty()
    if len(raws) > most:
        raise _too_many(most)
    return [RawItem(index, 1, bytes(raw), container="envelope") for index, raw in enumerate(raws)]


def _salvage(body: bytes, most: int, reason: InvalidInput) -> list[RawItem]:
    """Split a body that is not JSON as a whole, if it begins as an envelope, and let each item be judged by itself."""
    items = _at_most(most, iter_items([body], max_item_bytes=len(body)))
    if not any(item.container == "envelope" for item in items):
        raise type(reason)(f'the body {reason.reason}; expected {{"conversations": […]}}', pointer=reason.pointer)
    return items


def _at_most(most: int, items: Iterable[RawItem]) -> list[RawItem]:
    taken: list[RawItem] = []
    for item in items:
        if len(taken) == most:
            raise _too_many(most)
        taken.append(item)
    return taken


def _read(item: RawItem, project: str, limits: WireLimits) -> Submission | Rejection:
    if item.problem is not None:
        return Rejection(item.index, _name_in(item.raw), "", item.problem)
    try:
        return read_item(item.raw, project=project, limits=limits)
    except InvalidInput as error:
        return Rejection(item.index, _name_in(item.raw), error.pointer, error.reason)


def _name_in(raw: bytes) -> str | None:
    try:
        return _read_name(raw).conversation_id
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _no_envelope(error: msgspec.ValidationError) -> InvalidInput:
    """Say what msgspec expected and where; its path is `$` for the body, else that of the field."""
    reason, _, path = str(error).partition(" - at `$")
    if "conversations" in path or "conversations" in reason:
        reason = reason.replace("Object missing required field `conversations`", "is missing; expected an array")
        return InvalidInput(reason[:1].lower() + reason[1:], pointer=_POINTER)
    return InvalidInput(f'{reason[:1].lower()}{reason[1:]}; the body is {{"conversations": […]}}')


def _empty() -> InvalidInput:
    return InvalidInput("is empty; expected at least one conversation", pointer=_POINTER)


def _too_many(most: int) -> LimitExceeded:
    return LimitExceeded(f"has more than {most} conversations, the limit of one request", pointer=_POINTER)
