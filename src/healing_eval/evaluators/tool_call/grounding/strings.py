"""Was this name, code or phrase said before, if in other letters?"""

from __future__ import annotations

import re

from rapidfuzz.fuzz import partial_ratio

from healing_eval.evaluators.values.aliases import ALIASES
from healing_eval.evaluators.values.text import Passages, find_word, fold

_ALIKE = 92.0
_FUZZY_FROM = 6
_PREFIX_FROM = 5
_WINDOWS = 8
_INITIALS = re.compile(r"[A-Z]{2,5}")
_SURE_IN_ANY_CASE = frozenset(("nyc", "ny", "la", "sf", "dc", "uk", "usa", "uae", "rio"))
_GLUE = frozenset(("a", "an", "the", "my", "your", "his", "her", "our", "their", "i", "of", "to", "for"))
"""Words that change or go when a sentence is passed on: "call my mom" becomes "call your mom"."""


def phrase_said(value: str, passages: Passages, pieces: int) -> bool:
    """Whether a phrase stands in the first `pieces` pieces: folded, by its words, by another name, or misspelt."""
    text, limit = passages.raw(pieces)
    if find_word(text, value.strip(), limit):
        return True
    needle = fold(value)
    words = needle.split()
    if len(words) == 1:
        if _word_stands(needle, passages, pieces):
            return True
    elif not needle or _words_stand(value, needle, words, passages, pieces):
        return True
    for other in ALIASES.get(needle, ()):
        if _alias_stands(other, passages, pieces):
            return True
    if _initials_said(value, words, passages, pieces):
        return True
    return len(needle) >= _FUZZY_FROM and needle.replace(" ", "").isalpha() and _nearly(needle, passages, pieces)


def _word_stands(word: str, passages: Passages, pieces: int) -> bool:
    """Whether a word stands there, or its stem begins another: drama, dramatic; nausea, nauseous."""
    text, limit = passages.plain(pieces)
    if len(word) < _PREFIX_FROM or not word.isalpha():
        return find_word(text, word, limit)
    stem = word[:-1] if len(word) > _PREFIX_FROM and word[-1] in "aeiouy" else word
    if text.find(stem, 0, limit) < 0:
        return False
    return text.find(f" {stem}", 0, limit) >= 0 or find_word(text, word, limit)


def _words_stand(value: str, needle: str, words: list[str], passages: Passages, pieces: int) -> bool:
    if _stands(needle, passages, pieces):
        return True
    return " " in value.strip() and "@" not in value and _words_said(words, passages, pieces)


def _stands(needle: str, passages: Passages, pieces: int) -> bool:
    text, limit = passages.folded(pieces) if " " in needle else passages.plain(pieces)
    return find_word(text, needle, limit)


def _alias_stands(other: str, passages: Passages, pieces: int) -> bool:
    """A code must stand in capitals, since many are words: SAN but not "San Jose", OR but not "or"."""
    if len(other) > 3 or not other.isalpha():
        return _stands(other, passages, pieces)
    text, limit = passages.raw(pieces)
    if find_word(text, other.upper(), limit):
        return True
    return other in _SURE_IN_ANY_CASE and _stands(other, passages, pieces)


def _words_said(words: list[str], passages: Passages, pieces: int) -> bool:
    """Whether all words but the glue stand there, in any order."""
    telling = [word for word in words if word not in _GLUE] or words
    text, limit = passages.plain(pieces)
    return all(find_word(text, word, limit) for word in telling)


def _initials_said(value: str, words: list[str], passages: Passages, pieces: int) -> bool:
    """Whether "WHO" was said as "World Health Organization", or the other way round; capitals make it sure."""
    raw, limit = passages.raw(pieces)
    if value.isupper() and _INITIALS.fullmatch(value):
        spelt = r"[ -]+(?:of |the |and |for )?".join(rf"{letter}[a-z]+" for letter in value)
        return re.compile(rf"\b{spelt}").search(raw, 0, limit) is not None
    if 2 <= len(words) <= 5:
        return find_word(raw, "".join(word[0] for word in words).upper(), limit)
    return False


def _nearly(needle: str, passages: Passages, pieces: int) -> bool:
    """Whether the phrase stands there with few letters amiss.

    One of its three parts must then be intact, so only the surroundings of some of their occurrences are compared.
    """
    text, limit = passages.folded(pieces) if " " in needle else passages.plain(pieces)
    third = max(len(needle) // 3, 2)
    for offset in (0, third, 2 * third):
        part = needle[offset : offset + third]
        start = text.find(part, 0, limit)
        for _ in range(_WINDOWS):
            if start < 0 or len(part) < 2:
                break
            window = text[max(start - offset - 2, 0) : min(start - offset + len(needle) + 2, limit)]
            if _alike(needle, window):
                return True
            start = text.find(part, start + 1, limit)
    return False


def _alike(needle: str, window: str) -> bool:
    """Whether some part of the window differs from the phrase in few letters; of up to six, in none."""
    if len(needle) <= _FUZZY_FROM <= len(window):
        return needle in window
    return partial_ratio(needle, window, score_cutoff=_ALIKE) > 0
