"""Has a tool, or a value, anything to do with what was said?

Words are compared by how they begin, and words that any tool's name or any request may hold tell nothing. Where the
two sides may be in different languages nothing can be compared, so callers ask `speaks_english` first.
"""

from __future__ import annotations

import re
from functools import lru_cache

from healing_eval.domain.conversation import Conversation
from healing_eval.evaluators.values.text import Passages, find_word, fold, words_of_name

# fmt: off
_GENERIC = frozenset((
    # words of any sentence
    "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "been", "before", "both", "but",
    "by", "can", "could", "do", "does", "during", "each", "eg", "every", "few", "for", "from", "had", "has", "have",
    "he", "her", "here", "his", "how", "i", "if", "im", "in", "into", "is", "it", "its", "just", "less", "like", "many",
    "may", "me", "might", "mine", "more", "most", "much", "must", "my", "new", "no", "not", "of", "on", "one", "or",
    "other", "our", "over", "per", "please", "she", "should", "so", "some", "such", "than", "that", "the", "their",
    "them", "then", "there", "these", "they", "this", "those", "to", "too", "two", "us", "very", "was", "we", "were",
    "what", "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would", "you", "your",
    # words of any tool, or of any request
    "base", "based", "between", "calculate", "certain", "compute", "data", "default", "detail", "details", "fetch",
    "find", "first", "function", "get", "give", "given", "help", "info", "information", "know", "let", "list", "make",
    "name", "need", "number", "optional", "parameter", "particular", "provide", "provided", "retrieve", "return",
    "returned", "returns", "second", "set", "show", "specific", "specified", "tell", "type", "use", "used", "using",
    "value", "values", "want",
))
_ENGLISH = frozenset((
    "and", "calculate", "can", "do", "find", "get", "how", "if", "my", "please", "that", "the", "this", "to", "what",
    "when", "which", "who", "with", "you",
))
# fmt: on
_WORD = re.compile(r"[A-Za-z]+|\d+")
_STEM = 5
_MAX_CHARACTERS = 2_000
_TRIES = 64
_MAX_WORDS = 24


def telling_words(text: str) -> tuple[str, ...]:
    """The beginnings of the words in a text, or an identifier, that say what it is about; the first 24."""
    return _telling_words(text[:_MAX_CHARACTERS])


@lru_cache(maxsize=1024)
def _telling_words(text: str) -> tuple[str, ...]:
    words = (word for part in _WORD.findall(text) for word in words_of_name(part))
    telling = dict.fromkeys(_stem(word) for word in words if len(word) > 1 and word not in _GENERIC)
    return tuple(telling)[:_MAX_WORDS]


def any_said(stems: tuple[str, ...], passages: Passages, pieces: int) -> bool:
    """Whether one of the words stands, or begins a word, in what was said."""
    text, limit = passages.plain(pieces)
    return any(_begins_a_word(text, stem, limit) for stem in stems)


def is_heard(value: str | float, passages: Passages, pieces: int, *, whole: bool = False) -> bool:
    """Whether a telling word of a value was said, or the short form of one, as "gas" for "gasoline".

    With `whole` any word of it will do, as long as it was said just so.
    """
    written = str(value)[:_MAX_CHARACTERS]
    if any_said(telling_words(written), passages, pieces):
        return True
    words = fold(written).split()[:_MAX_WORDS]
    text, limit = passages.plain(pieces)
    if whole and any(find_word(text, word, limit) for word in words):
        return True
    return any(find_word(text, word[:size], limit) for word in words if len(word) > _STEM for size in (3, 4))


def speaks_english(conversation: Conversation) -> bool:
    """Whether the user's words are English, as the words above are."""
    for turn in conversation.turns:
        if turn.role == "user" and not _ENGLISH.isdisjoint(turn.content[:_MAX_CHARACTERS].lower().split()):
            return True
    return False


def _stem(word: str) -> str:
    return word[:_STEM] if len(word) > _STEM else word.rstrip("s") if len(word) > 3 else word


def _begins_a_word(text: str, stem: str, limit: int) -> bool:
    """Whether a word begins so; a short one must be the whole word."""
    if len(stem) < 4:
        return find_word(text, stem, limit)
    start = text.find(stem, 0, limit)
    for _ in range(_TRIES):
        if start < 0:
            return False
        if start == 0 or not text[start - 1].isalnum():
            return True
        start = text.find(stem, start + 1, limit)
    return True  # a text made to be slow: nothing is held against the call
