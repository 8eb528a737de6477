"""Is this the token that the conversation's own results gave, or that its other calls hold?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from healing_eval.evaluators.tool_call.context import PlacedCall
from healing_eval.evaluators.values.text import Passages, find_word, words_of_name

CREDENTIALS = frozenset(("token", "session", "auth", "authorization", "credentials", "apikey"))
"""Words of arguments that the surroundings often fill in, so that no turn shows where they come from."""
_SHORTEST = 8


def is_token(value: str) -> bool:
    """Whether a value is a token, rather than the name of a session or the kind of an authorization."""
    return (
        len(value) >= _SHORTEST and " " not in value and any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    )


def names_a_token(words: Sequence[str]) -> bool:
    """Whether an argument of these words holds a token: session_id does, session_date does not."""
    return words[-1] in CREDENTIALS or words[-1] in ("id", "key")


class Credentials:
    """The tokens of one conversation."""

    def __init__(self, calls: Sequence[PlacedCall], passages: Passages) -> None:
        self._calls = calls
        self._passages = passages
        self._given_from: dict[str, int] = {}

    def said(self, value: str, argument: str, tool_name: str, pieces: int) -> bool | None:
        """Whether a token stands in what came before the call, or is the one that the other calls hold as well.

        It is made up if another one was given under its name, or the others agree on another one. What the
        surroundings fill in once shows nowhere: None.
        """
        text, limit = self._passages.raw(pieces)
        if find_word(text, value, limit):
            return True
        if self._is_given(argument, limit):
            return False
        held = self._held.get(_holder(argument, tool_name))
        if held is None or held.total() < 2:
            return None
        return held.most_common(1)[0][0] == value

    def _is_given(self, argument: str, limit: int) -> bool:
        """Whether a text stands under the argument's name, as "access_token": "…" in a result."""
        word = next(word for word in reversed(words_of_name(argument)) if word in CREDENTIALS)
        place = self._given_from.get(word)
        if place is None:
            match = re.compile(rf"{word}[\"'] ?: ?[\"'][^\"'\s]", re.IGNORECASE).search(self._passages.whole)
            place = self._given_from[word] = match.end() if match else -1
        return 0 <= place <= limit

    @cached_property
    def _held(self) -> dict[tuple[str, str], Counter[str]]:
        held: dict[tuple[str, str], Counter[str]] = {}
        for placed in self._calls:
            for argument, value in placed.call.parameters.items():
                if isinstance(value, str) and not CREDENTIALS.isdisjoint(words_of_name(argument)):
                    held.setdefault(_holder(argument, placed.call.tool_name), Counter())[value] += 1
        return held


def _holder(argument: str, tool_name: str) -> tuple[str, str]:
    """Say who shares a token: a session's all calls, any other only those of one tool, for services have their own."""
    return argument, "" if "session" in words_of_name(argument) else tool_name
