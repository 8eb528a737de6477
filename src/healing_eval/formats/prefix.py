"""How is a revision stored that only adds turns to one already stored?

By its item without the entries both share: the base has them. Only the shared entries leave; the bytes of every other
entry and of every other field stay as they came. Entries are those of the raw `turns` or `messages` array, one for each
link of the hash chain, so n shared links are n shared entries.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from healing_eval.formats.openai_chat import logged_answer

_SHAPES: tuple[Literal["turns", "messages"], ...] = ("turns", "messages")
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def cut(body: bytes, entries_kept: int) -> bytes | None:
    """Take the first entries out of an item.

    Args:
        body: a whole item that was accepted, repaired.
        entries_kept: how many entries the base has, which is the length of its chain.

    Returns:
        The item without them; None when it must be kept whole, because what is shared is not all in its array.
    """
    fields = _fields(body)
    shape = _shape(fields)
    entries = _array(fields[shape])
    if not 0 <= entries_kept <= len(entries):
        return None
    fields[shape] = msgspec.Raw(_encode(entries[entries_kept:]))
    return _encode(fields)


def join(base_body: bytes, cut_body: bytes) -> bytes:
    """Put an item together again.

    Args:
        base_body: the whole item it continues; all its entries are shared.
        cut_body: what `cut` left.
    """
    fields = _fields(cut_body)
    shape = _shape(fields)
    fields[shape] = msgspec.Raw(_encode(_all_entries(base_body, shape) + _array(fields[shape])))
    return _encode(fields)


def _shape(fields: dict[str, Any]) -> Literal["turns", "messages"]:
    return next(shape for shape in _SHAPES if shape in fields and bytes(fields[shape]) != b"null")


def _all_entries(body: bytes, shape: str) -> list[msgspec.Raw]:
    """A logged answer is the last entry of its item, though it does not stand in the array."""
    fields = _fields(body)
    entries = _array(fields[shape])
    if shape == "messages" and ("choices" in fields or "response" in fields):
        answer = logged_answer(msgspec.json.decode(body))
        if answer is not None:
            entries.append(msgspec.Raw(_encode(answer)))
    return entries
