"""How does a key travel through Redis?

In 22 bytes: its key, its revision, and how often it was tried before. Beside them may stand the span in which it was
appended, in a field of its own.
"""

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
TRACE_FIELD = "traceparent"
TRACE_BYTES = 55
"""Length of a `traceparent` of W3C Trace Context."""
_TRACE_FIELD = TRACE_FIELD.encode()


class Unreadable(Exception):
    """An entry that is no message, with the reason; its content may be anything, and is not repeated."""


def packed(keys: Sequence[RevisionKey]) -> bytes:
    """Write keys that nobody has tried yet, one after the other."""
    pack = _MESSAGE.pack
    return b"".join([pack(key.conversation_key, key.revision, 0) for key in keys])


def packed_keys(keys: Sequence[RevisionKey]) -> bytes:
    """Write keys alone, one after the other."""
    return b"".join([packed([key])[:KEY_BYTES] for key in keys])


def packed_with(keys: Sequence[RevisionKey], traceparent: str) -> bytes:
    """Write keys as `packed` does, each followed by the span in which it is appended."""
    pack, trace = _MESSAGE.pack, traceparent.encode("ascii")
    if len(trace) != TRACE_BYTES:
        raise ValueError(f"a traceparent has {TRACE_BYTES} characters")
    return b"".join([pack(key.conversation_key, key.revision, 0) + trace for key in keys])


def unpacked(message: bytes) -> tuple[RevisionKey, int]:
    """Read a key, and how often it was tried before."""
    key, revision, attempts = _MESSAGE.unpack(message)
    return RevisionKey(key, revision), attempts


def delivery_of(entry_id: bytes, fields: Sequence[bytes], delivered: int) -> Delivery:
    """Make a delivery of an entry, handed out `delivered` times since it was last released.

    Raises:
        Unreadable: it was written by somebody else.
    """
    # This runs once for every message, so what is nearly always so is tried first.
    if len(fields) == 2 and fields[0] == _FIELD and len(fields[1]) == BYTES:
        message, traceparent = fields[1], None
    else:
        message, traceparent = _message_among(fields), _trace_among(fields)
    key, revision, attempts = _MESSAGE.unpack(message)
    if revision == 0:
        raise Unreadable("its revision is 0, and the first is 1")
    return Delivery(entry_id.decode(), RevisionKey(key, revision), attempts + delivered, traceparent)


def _trace_among(fields: Sequence[bytes]) -> str | None:
    """Find the span in which an entry was appended; what cannot be one is passed over."""
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        if name == _TRACE_FIELD and len(value) == TRACE_BYTES and value.isascii():
            return value.decode("ascii")
    return None


def _message_among(fields: Sequence[bytes]) -> bytes:
    """Find the message in an entry that has other fields too, such as those of a later version: they are passed over.

    The scripts take the first that fits as well.
    """
    found = [value for name, value in zip(fields[::2], fields[1::2], strict=True) if name == _FIELD]
    fitting = [value for value in found if len(value) == BYTES]
    if fitting:
        return fitting[0]
    if found:
        raise Unreadable(f"field {FIELD!r} has {len(found[0])} bytes, not {BYTES}")
    raise Unreadable(f"the entry has no field {FIELD!r}")
