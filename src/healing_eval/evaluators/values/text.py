"""How are two pieces of text compared, whatever their case and punctuation?"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, count, pairwise
from operator import add
from unicodedata import normalize

_PLAIN = bytes(code if code >= 128 or chr(code).isalnum() else ord(" ") for code in range(256))
"""UTF-8 byte to byte: ASCII punctuation becomes a space, all else stays."""


def _narrowed(code: int) -> int:
    letter = normalize("NFKC", chr(code)).casefold()
    if len(letter) != 1 or ord(letter) > 255:
        return 0
    return _PLAIN[ord(letter)] if ord(letter) < 128 else ord(letter)


_NARROW = bytes(map(_narrowed, range(256)))
"""Latin-1 byte to byte: the same, and lower case; 0 for the few letters that become longer, as the German sharp s."""

LATIN_1_LOWER = bytes(ord(chr(code).lower()) for code in range(256))
"""Latin-1 byte to byte, in lower case."""


def _lowered_compatibly(code: int) -> int:
    letter = normalize("NFKC", chr(code)).lower()
    return ord(letter) if len(letter) == 1 and ord(letter) < 256 else 0


_COMPATIBLE_LOWER = bytes(map(_lowered_compatibly, range(256)))
"""Latin-1 byte to byte: made compatible (NFKC) and lower case; 0 for the few that become something else than one."""

_TYPOGRAPHIC = (
    *((dash, "-") for dash in "\u2010\u2011\u2012\u2013\u2212"),
    *zip("\u2018\u2019\u201c\u201d", "''\"\"", strict=True),
)
"""Marks that models and phones put where a keyboard has another; each takes the place of one character."""
_TRIES = 64
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", re.ASCII)


def lower(text: str) -> str:
    """Do what `str.lower` does; ten times as fast for a text in Latin-1 that is not ASCII."""
    if text.isascii():
        return text.lower()
    narrow = _translated(text, LATIN_1_LOWER)
    return text.lower() if narrow is None else narrow


def compatible_lower(text: str) -> str:
    """Unify compatible characters (NFKC) and turn all into lower case; faster for a text in Latin-1."""
    if text.isascii():
        return text.lower()
    narrow = _translated(text, _COMPATIBLE_LOWER)
    return normalize("NFKC", text).lower() if narrow is None else narrow


def is_latin_1(text: str) -> bool:
    """Whether a text has only characters of Latin-1."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def fold(text: str) -> str:
    """Casefold, unify compatible characters, turn ASCII punctuation into spaces and collapse spaces."""
    if text.isascii() and text.isalnum():  # most values are one plain word
        return text.lower()
    return " ".join(_plain(text).split())


def _plain(text: str) -> str:
    """Fold without collapsing spaces, so that most texts keep their length."""
    narrow = _translated(text, _NARROW)
    if narrow is not None:
        return narrow
    return normalize("NFKC", text).casefold().encode("utf-8", "replace").translate(_PLAIN).decode()


def _translated(text: str, table: bytes) -> str | None:
    """Translate character by character, far faster than otherwise; None if text or result go beyond Latin-1."""
    try:
        changed = text.encode("latin-1").translate(table)
    except UnicodeEncodeError:
        return None
    return None if b"\0" in changed else changed.decode("latin-1")


def holds_any(text: str, parts: Iterable[str]) -> bool:
    """Whether a text holds one of some strings. A loop, because a generator in `any` takes twice the time."""
    for part in parts:  # noqa: SIM110 - see the docstring
        if part in text:
            return True
    return False


def words_of_name(name: str) -> tuple[str, ...]:
    """Split an identifier, its first 200 characters: "payment_methodId" gives payment, method, id."""
    return _words_of_name(name[:200])


@lru_cache(maxsize=4096)
def _words_of_name(name: str) -> tuple[str, ...]:
    return tuple(part.lower() for part in _CAMEL.findall(name))


def find_word(text: str, needle: str, limit: int) -> bool:
    """Whether `needle` stands in `text[:limit]` as whole words; a plural s may follow a longer word."""
    start = text.find(needle, 0, limit)
    tries = 0
    while start >= 0:
        if _bounded(text, start, start + len(needle)):
            return True
        tries += 1
        if tries == _TRIES:  # "1" in a megabyte of digits: let the engine scan the rest
            pattern = re.compile(rf"(?<![^\W_]){re.escape(needle)}(?![^\W_])")
            return pattern.search(text, start, limit) is not None
        start = text.find(needle, start + 1, limit)
    return False


def _bounded(text: str, start: int, end: int) -> bool:
    if start and text[start - 1].isalnum() and text[start].isalnum():
        return False
    after = text[end : end + 1]
    if not after.isalnum() or not text[end - 1].isalnum():
        return True
    return after == "s" and end - start >= 4 and text[end - 1].isalpha() and not text[end + 1 : end + 2].isalnum()


class Passages:
    """Pieces of text in the order in which they were said, normalised once and searched up to any piece."""

    def __init__(self, pieces: Sequence[str]) -> None:
        whole, self.ends = _joined(pieces)
        """Where in `whole` the first so many pieces end."""
        self.whole = whole if whole.isascii() else _keyboard_marks(whole)
        """Everything as it was written, but for typographic dashes and quotes, which are those of a keyboard here."""

    @cached_property
    def _plain(self) -> tuple[str, list[int]]:
        narrow = _translated(self.whole, _NARROW)  # the whole at once is fastest, and right where no character moves
        if narrow is not None:
            return narrow, self.ends
        return _joined([_plain(self.whole[start : end - 1]) for start, end in pairwise(self.ends)])

    @cached_property
    def _folded(self) -> tuple[str, list[int]]:
        plain, ends = self._plain
        return _joined([" ".join(plain[start:end].split()) for start, end in pairwise(ends)])

    @property
    def plain_whole(self) -> str:
        """Everything without case and punctuation, each mark a space."""
        return self._plain[0]

    def raw(self, count: int) -> tuple[str, int]:
        """The whole text as it was written, and where the first `count` pieces end."""
        return self.whole, self.ends[count]

    def plain(self, count: int) -> tuple[str, int]:
        """The same without case and punctuation, each mark a space; only for needles of a single word."""
        text, ends = self._plain
        return text, ends[count]

    def folded(self, count: int) -> tuple[str, int]:
        """The same folded, see `fold`."""
        text, ends = self._folded
        return text, ends[count]

    def piece_at(self, place: int) -> int:
        """The number of the piece that holds a place of the raw text."""
        return bisect_right(self.ends, place) - 1


def _keyboard_marks(text: str) -> str:
    try:
        text.encode("latin-1")  # which has none of those marks, and takes less time than to look for each
    except UnicodeEncodeError:
        for fine, plain in _TYPOGRAPHIC:
            text = text.replace(fine, plain)
    return text


def _joined(pieces: Sequence[str]) -> tuple[str, list[int]]:
    """Put each piece on a line, and say where the next one begins."""
    ends = map(add, accumulate(map(len, pieces), initial=0), count())
    return "\n".join(pieces), list(ends)
