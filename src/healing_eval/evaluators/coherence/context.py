"""What do the checks share about one conversation?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from healing_eval.domain.conversation import Conversation, Turn
from healing_eval.domain.evaluation import Issue
from healing_eval.evaluators.coherence.options import Options

T = TypeVar("T")

MAX_CHARACTERS = 4_000
"""A turn is read up to here: what a person or an agent says is shorter, and hostile texts are not."""

_MARKS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'
_BLANKED = bytes.maketrans(_MARKS.encode(), b" " * len(_MARKS))
_TYPOGRAPHIC_MARKS = "…–—“”"
_SENTENCE_END = re.compile(r"[.!?;](?=\s|$)|\n")


class Said:
    """One turn with text of a user or the agent. Every check looks at its words, so they are split at once."""

    __slots__ = ("_sentences", "index", "lowered", "text", "turn", "word_set", "words")

    def __init__(self, index: int, turn: Turn) -> None:
        self.index = index
        """Place among the conversation's turns."""
        self.turn = turn
        self.text = turn.content[:MAX_CHARACTERS]
        self.lowered = self.text.lower().replace("’", "'")
        """The text in lower case, with plain apostrophes."""
        self.words = _words_of(self.lowered)
        """The words in lower case, in order, with their apostrophes."""
        self.word_set = frozenset(self.words)
        """The words in lower case, each once."""
        self._sentences: list[str] | None = None

    @property
    def sentences(self) -> list[str]:
        """The sentences in lower case, with their end marks left out."""
        if self._sentences is None:
            self._sentences = [part for part in _SENTENCE_END.split(self.lowered) if part and not part.isspace()]
        return self._sentences


def _words_of(lowered: str) -> list[str]:
    if not lowered.isascii():
        for mark in _TYPOGRAPHIC_MARKS:
            lowered = lowered.replace(mark, " ")
    # On bytes this is ten times faster than on text, and no ASCII byte is part of another character in either encoding.
    try:
        return lowered.encode("latin-1").translate(_BLANKED).decode("latin-1").split()
    except UnicodeEncodeError:
        return lowered.encode("utf-8", "surrogatepass").translate(_BLANKED).decode("utf-8", "surrogatepass").split()


def holds_any(text: str, parts: Iterable[str]) -> bool:
    """Whether a text holds one of some strings. A loop, because a generator in `any` takes twice the time."""
    for part in parts:  # noqa: SIM110 - see the docstring
        if part in text:
            return True
    return False


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
