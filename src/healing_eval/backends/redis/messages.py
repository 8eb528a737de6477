"""How does a key travel through Redis? In 22 bytes: its key, its revision, and how often it was tried before."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from healing_eval.domain.revision import RevisionKey
from healing_eval.ports.stream import Delivery

_MESSAGE = struct.Struct(">16sIH")
BYTES = _MESSAGE.size
KEY_BYTES = BYTES - 2
"""What comes before the count of earlier attempts."""
FIELD = "k"
_FIELD = FIELD.encode()


class Unreadable(Exception):
    """An entry that is no message, with the reason; its content may be anything, and is not repeated."""


def packed(keys: Sequence[RevisionKey]) -> bytes:
    """Write keys that nobody has tried yet, one after the other."""
    pack = _MESSAGE.pack
    return b"".join([pack(key.conversation_key, key.revision, 0) for key in keys])


def packed_keys(keys: Sequence[RevisionKey]) -> bytes:
    """Write keys alone, one after the other."""
    return b"".join([packed([key])[:KEY_BYTES] for key in keys])


def unpacked(message: bytes) -> tuple[RevisionKey, int]:
    """Read a key, and how often it was tried before."""
    key, revision, attempts = _MESSAGE.unpack(message)
    return RevisionKey(key, revision), attempts


def delivery_of(entry_id: bytes, fields: Sequence[bytes], delivered: int) -> Delivery:
    """Make a delivery of an entry, handed out `delivered` times since it was last released.

    Raises:
        Unreadable: it was written by somebody else.
    """
    # This runs once for every message, so what is always so is tried first.
    if len(fields) != 2 or fields[0] != _FIELD or len(fields[1]) != BYTES:
        raise Unreadable(_fault(fields))
    key, revision, attempts = _MESSAGE.unpack(fields[1])
    if revision == 0:
        raise Unreadable("its revision is 0, and the first is 1")
    return Delivery(entry_id.decode(), RevisionKey(key, revision), attempts + delivered)


def _fault(fields: Sequence[bytes]) -> str:
    found = dict(zip(fields[::2], fields[1::2], strict=True)).get(_FIELD)
    if found is None:
        return f"the entry has no field {FIELD!r}"
    if len(found) != BYTES:
        return f"field {FIELD!r} has {len(found)} bytes, not {BYTES}"
    return f"the entry has {len(fields) // 2} fields, not 1"
