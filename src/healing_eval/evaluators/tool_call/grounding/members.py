"""Was another member of an enum asked for than the one in the call?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

from healing_eval.evaluators.tool_call.grounding.stems import relative_stands
from healing_eval.evaluators.tool_call.grounding.strings import phrase_said
from healing_eval.evaluators.values.text import Passages, find_word, fold

_MOST_MEMBERS = 64
_LONGEST_MEMBER = 60
_ENDING = 2
_SAY_NOTHING = frozenset((
    "", "all", "any", "anything", "auto", "automatic", "both", "custom", "default", "dont care", "don t care",
    "dontcare", "either", "false", "n a", "na", "neither", "no", "no preference", "none", "normal", "not applicable",
    "not specified", "null", "off", "on", "other", "others", "true", "undefined", "unknown", "unspecified", "yes",
))  # fmt: skip
"""Members that are chosen when nobody says anything, or that stand for yes and no."""


def choices(schema: dict[str, Any]) -> tuple[str, ...]:
    """List an enum's members that would be asked for by name; empty if there is no choice between such.

    A single digit is none: two guests are "my wife and I", and the digit stands beside anything.
    """
    listed = schema.get("enum")
    if not isinstance(listed, list) or not 2 <= len(cast("list[Any]", listed)) <= _MOST_MEMBERS:
        return ()
    members = cast("list[Any]", listed)
    return _choices(tuple(one for one in members if isinstance(one, str) and len(one) <= _LONGEST_MEMBER))


@lru_cache(maxsize=1024)
def _choices(members: tuple[str, ...]) -> tuple[str, ...]:
    telling = tuple(one for one in members if fold(one) not in _SAY_NOTHING and not (len(one) == 1 and one.isdigit()))
    return telling if len(telling) > 1 else ()


def member_said(value: str, members: tuple[str, ...], passages: Passages, pieces: int) -> bool:
    """Whether a member was said, be it by one of the words that tell it from the others."""
    text, limit = passages.plain(pieces)
    words = _telling(members).get(value, ())
    return any(relative_stands(word, _ENDING, text, limit) for word in words) or phrase_said(value, passages, pieces)


def others_said(value: str, members: tuple[str, ...], text: str, limit: int) -> Iterator[str]:
    """List the other members whose telling words all stand in a plain text."""
    for other, words in _telling(members).items():
        if other != value and all(find_word(text, word, limit) for word in words):
            yield other


@lru_cache(maxsize=1024)
def _telling(members: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Give each member the words that no other has; all of its words if each is another's too."""
    words = {member: tuple(fold(member).split()) for member in members}
    holders: dict[str, int] = {}
    for one in words.values():
        for word in set(one):
            holders[word] = holders.get(word, 0) + 1
    return {member: tuple(word for word in one if holders[word] == 1) or one for member, one in words.items() if one}
