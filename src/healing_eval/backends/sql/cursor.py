"""Where does the next page begin? An opaque text that is good for one order only."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

from healing_eval.errors import InvalidInput

_CHECK_BYTES = 4


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The last item of a page."""

    sort: str
    value: datetime | float | None
    """What the list is sorted by; None when the item has none."""
    key: bytes


def write_cursor(cursor: Cursor) -> str:
    """Write a cursor as text that is safe in a URL."""
    packed = msgspec.msgpack.encode(cursor)
    return urlsafe_b64encode(packed + _check(packed)).decode().rstrip("=")


def read_cursor(text: str, sort: str, kind: Any) -> Cursor:
    """Read a cursor.

    Args:
        text: what `write_cursor` wrote.
        sort: the order it must have been made for.
        kind: type of the value.

    Raises:
        InvalidInput: it is not one of ours, or was made for another order.
    """
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        packed, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
        cursor = msgspec.msgpack.decode(packed, type=Cursor)
        if check != _check(packed):
            raise ValueError(text)
        value = msgspec.convert(cursor.value, kind)
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidInput("is no cursor; expected the next_cursor of a page", pointer="/cursor") from error
    if cursor.sort != sort:
        raise InvalidInput(f"belongs to the order {cursor.sort!r}, not {sort!r}", pointer="/cursor")
    return msgspec.structs.replace(cursor, value=value)


def _check(packed: bytes) -> bytes:
    """Catch what was mistyped or cut off; a cursor grants nothing, so it needs no secret."""
    return blake2b(packed, digest_size=_CHECK_BYTES).digest()
