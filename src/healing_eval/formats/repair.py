"""Which characters can no store keep, and what becomes of them?

PostgreSQL takes no NUL, and no UTF-8 holds half a surrogate pair, but JSON can spell both. They become U+FFFD. The
escape that replaces them is as long as they are, so byte offsets in later messages are those of what was sent.
"""

from __future__ import annotations

import re

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPE = re.compile(
    rb"\\(?:"
    rb"(?P<nul>u0000)"
    rb"|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|.)",  # any other escape, two backslashes included, so that parity is kept
    re.DOTALL,
)
_REPLACEMENT = rb"\ufffd"


def repair(raw: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Replace NUL characters and lone surrogates, both as JSON escapes, by U+FFFD.

    Returns:
        The bytes (the very same object when nothing was wrong) and what was done, in words for the sender.
    """
    if b"\\" not in raw or b"\\u" not in raw or _SUSPECT.search(raw) is None:
        return raw, ()
    counts = {"nul": 0, "lone": 0}

    def replace(match: re.Match[bytes]) -> bytes:
        kind = match.lastgroup
        if kind is None:
            return match.group()
        counts[kind] += 1
        return _REPLACEMENT

    repaired = _ESCAPE.sub(replace, raw)
    notes = tuple(_note(counts[kind], what) for kind, what in _WORDS.items() if counts[kind])
    return (repaired, notes) if notes else (raw, ())


_WORDS = {"nul": "NUL character", "lone": "lone surrogate"}


def _note(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''} replaced by U+FFFD"
