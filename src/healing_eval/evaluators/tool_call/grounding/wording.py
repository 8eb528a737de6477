"""Does a text that the agent worded speak of what was spoken of?"""

from __future__ import annotations

import re
from itertools import islice

from healing_eval.evaluators.tool_call.grounding.stems import has_relatives, relative_stands
from healing_eval.evaluators.values.text import Passages, find_word, fold, words_of_name

_MOST_WORDS = 16
_FEW_WORDS = 4
_ENDING = 3
_WORD = re.compile(r"[^\W_]+")
_WITHOUT_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\uabff\uf900-\ufaff]")
"""Letters of scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Chinese, Japanese, Korean."""
_FUNCTION_WORDS = frozenset((
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "before",
    "but", "by", "can", "could", "did", "do", "does", "each", "for", "from", "get", "give", "had", "has", "have",
    "he", "hello", "hey", "hi", "her", "here", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just",
    "let", "like", "make", "may", "me", "more", "my", "need", "new", "no", "not", "now", "of", "on", "or", "our",
    "out", "over", "please", "s", "she", "should", "so", "some", "t", "than", "thank", "thanks", "that", "the",
    "their", "them", "then", "there", "these", "they", "this", "those", "to", "too", "up", "us", "use", "using", "want",
    "was", "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "yes", "you",
    "your",
))  # fmt: skip


def wording_said(value: str, argument: str, tool_name: str, passages: Passages, pieces: int) -> bool | None:
    """Whether enough of a text's telling words were said, be it by their stem.

    Half of up to four words, which name a thing; a quarter of more, which are sentences of the agent's own. Left aside
    are function words and the words of the tool's and the argument's own name. None if nothing is left but numbers.
    """
    telling = _telling(value, {*words_of_name(tool_name), *words_of_name(argument)})
    if not any(map(str.isalpha, telling)):
        return None
    text, limit = passages.plain(pieces)
    enough = -(-len(telling) // (2 if len(telling) <= _FEW_WORDS else 4))
    said = (word for word in telling if _stands(word, text, limit))
    return sum(1 for _ in islice(said, enough)) == enough


def _stands(word: str, text: str, limit: int) -> bool:
    return relative_stands(word, _ENDING, text, limit) if has_relatives(word) else find_word(text, word, limit)


def _telling(value: str, named: set[str]) -> list[str]:
    if _WITHOUT_SPACES.search(value):
        return []
    words = dict.fromkeys(_WORD.findall(fold(value)))
    return list(islice((word for word in words if word not in _FUNCTION_WORDS and word not in named), _MOST_WORDS))
