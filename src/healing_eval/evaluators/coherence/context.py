"""What do the checks share about one conversation?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from healing_eval.domain.conversation import Conversation, Turn
from healing_eval.domain.evaluation import Issue
from healing_eval.evaluators.coherence.options import Options
from healing_eval.evaluators.values.text import LATIN_1_LOWER, lower

T = TypeVar("T")

MAX_CHARACTERS = 4_000
"""A turn is read up to here: what a person or an agent says is shorter, and hostile texts are not."""

_MARKS = frozenset('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~')
_BLANKED = bytes(ord(" ") if chr(code) in _MARKS else code for code in range(256))
"""Byte to byte: ASCII punctuation becomes a space, but for apostrophes. ASCII bytes are no part of others in UTF-8."""
_LOWERED_AND_BLANKED = LATIN_1_LOWER.translate(_BLANKED)
_TYPOGRAPHIC_MARKS = "…–—“”"
_SENTENCE_END = re.compile(
    r"[.!?;\n](?:(?<=\n)|(?=\s|$))"
)  # begins with a set of characters, which the engine skips to


class Said:
    """One turn with text of a user or the agent. Every check looks at its words, so they are split at once."""

    __slots__ = ("_lowered", "_sentences", "index", "text", "turn", "word_set", "words")

    def __init__(self, index: int, turn: Turn) -> None:
        self.index = index
        """Place among the conversation's turns."""
        self.turn = turn
        self.text = turn.content[:MAX_CHARACTERS]
        self._lowered: str | None = None
        self._sentences: list[str] | None = None
        self.words = self._split()
        """The words in lower case, in order, with their apostrophes."""
        self.word_set = frozenset(self.words)
        """The words in lower case, each once."""

    def _split(self) -> list[str]:
        """On bytes this is ten times faster than on text."""
        try:
            narrow = self.text.encode("latin-1")
        except UnicodeEncodeError:
            return _words_of_wide(self.lowered)
        return narrow.translate(_LOWERED_AND_BLANKED).decode("latin-1").split()

    @property
    def lowered(self) -> str:
        """The text in lower case, with plain apostrophes. Most turns are judged by their words and never need it."""
        if self._lowered is None:
            self._lowered = lower(self.text).replace("’", "'")
        return self._lowered

    @property
    def sentences(self) -> list[str]:
        """The sentences in lower case, with their end marks left out."""
        if self._sentences is None:
            self._sentences = [part for part in _SENTENCE_END.split(self.lowered) if part and not part.isspace()]
        return self._sentences


def _words_of_wide(lowered: str) -> list[str]:
    plain = lowered
    for mark in _TYPOGRAPHIC_MARKS:
        plain = plain.replace(mark, " ")
    return plain.encode("utf-8", "surrogatepass").translate(_BLANKED).decode("utf-8", "surrogatepass").split()


class Context:
    """One conversation, with what several checks ask for measured once."""

    __slots__ = ("_measured", "by_agent", "by_user", "conversation", "options", "said")

    def __init__(self, conversation: Conversation, options: Options) -> None:
        self.conversation = conversation
        self.options = options
        self.said: list[Said] = []
        """Turns of user and agent that have text, in order."""
        self.by_user: list[Said] = []
        """What the user said, in order."""
        self.by_agent: list[Said] = []
        """What the agent said, in order."""
        self._measured: dict[Callable[[Context], Any], Any] = {}
        for index, turn in enumerate(conversation.turns):
            speakers = self.by_user if turn.role == "user" else self.by_agent if turn.role == "assistant" else None
            if speakers is not None and turn.content and not turn.content.isspace():
                said = Said(index, turn)
                self.said.append(said)
                speakers.append(said)

    def once(self, measure: Callable[[Context], T]) -> T:
        """Give what `measure` finds in this conversation, measured at most once."""
        if measure not in self._measured:
            self._measured[measure] = measure(self)
        return self._measured[measure]


Check = Callable[[Context], Iterator[Issue]]
