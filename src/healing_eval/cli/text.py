"""How is text that somebody else wrote shown on a terminal?"""

from __future__ import annotations

import re

_BLANK = re.compile(r"[\s\u2028\u2029]+")
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff\U000e0000-\U000e007f]"
)
"""Control characters (terminal escapes begin with one), direction marks, invisible ones, lone surrogates."""

REPLACEMENT = "\ufffd"


def plain(text: object, limit: int = 300) -> str:
    """Write untrusted text on one line without anything a terminal would obey, cut to `limit` characters."""
    line = str(text)[: 4 * limit]
    line = _UNSAFE.sub(REPLACEMENT, _BLANK.sub(" ", line).strip())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


_CONTROL_BYTES = re.compile(rb"\x7f|\xc2[\x80-\x9f]")


def escape_controls(line: bytes) -> bytes:
    """Escape the control characters that JSON lets stand raw (U+007F to U+009F), some of which terminals obey."""
    if b"\x7f" not in line and b"\xc2" not in line:  # as nearly always
        return line
    return _CONTROL_BYTES.sub(lambda match: b"\\u%04x" % ord(match[0].decode()), line)


def count_of(n: int, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun: "1 conversation", "1,200 conversations"."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def bytes_of(n: int) -> str:
    """Write a size the way people read it: "812 B", "13.4 MB"."""
    size = float(n)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
