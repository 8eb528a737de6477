"""Does a word, or a relative of it, begin a word of the text?"""

from __future__ import annotations

_SHORTEST_STEM = 5
_TRIES = 64


def has_relatives(word: str) -> bool:
    """Whether a word is long enough to be told from others by its beginning."""
    return len(word) >= _SHORTEST_STEM and word.isalpha()


def relative_stands(word: str, cut: int, text: str, limit: int) -> bool:
    """Whether a plain text holds a word that begins as this one does without its last `cut` letters.

    At least five letters are compared, so a shorter word has no relatives; only their first 64 places are looked at.
    """
    if not has_relatives(word):
        return False
    stem = word[: max(_SHORTEST_STEM, len(word) - cut)]
    start = text.find(stem, 0, limit)
    for _ in range(_TRIES):
        if start < 0 or not text[start - 1 : start].isalnum():
            break
        start = text.find(stem, start + 1, limit)
    return start >= 0 and not text[start - 1 : start].isalnum()
