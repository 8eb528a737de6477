"""Does a word, or a relative of it, begin a word of the text?"""

from __future__ import annotations

_SHORTEST_STEM = 5


def relative_stands(word: str, cut: int, text: str, limit: int) -> bool:
    """Whether a plain text holds a word that begins as this one does without its last `cut` letters.

    At least five letters are compared, so a shorter word has no relatives.
    """
    if len(word) < _SHORTEST_STEM or not word.isalpha():
        return False
    stem = word[: max(_SHORTEST_STEM, len(word) - cut)]
    return text.startswith(stem) or any(text.find(edge + stem, 0, limit) >= 0 for edge in " \n")
