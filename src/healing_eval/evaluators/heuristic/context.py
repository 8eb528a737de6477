"""What do the checks share about one conversation?"""

from __future__ import annotations

import re

import msgspec

from healing_eval.domain.conversation import Conversation, Turn
from healing_eval.evaluators.heuristic.delays import Delays, measure
from healing_eval.evaluators.heuristic.options import Options, Pattern

# White space, and what shows as nothing: soft hyphen, zero-width characters, direction marks, fillers, byte-order mark.
_INVISIBLE = (
    "\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
)
_VISIBLE = re.compile(f"[^{_INVISIBLE}]")


class Reply(msgspec.Struct, frozen=True):
    """An assistant turn that says something."""

    turn: Turn
    text: str
    """Stripped."""
    calls: bool
    """Whether it also calls a tool, so that its text is a remark on the way."""


class Context(msgspec.Struct, frozen=True):
    """One conversation, read once for all checks."""

    conversation: Conversation
    options: Options
    patterns: tuple[tuple[Pattern, bool], ...]
    """Patterns of the format options, and whether each must be found (or must not)."""
    replies: tuple[Reply, ...]
    silent: tuple[Turn, ...]
    """Assistant turns with neither visible text nor a tool call."""
    delays: Delays


def read_context(conversation: Conversation, options: Options, patterns: tuple[tuple[Pattern, bool], ...]) -> Context:
    """Prepare a conversation; while it is incomplete, its last turn may be growing and no check reads its text."""
    replies: list[Reply] = []
    silent: list[Turn] = []
    turns = conversation.turns if conversation.complete else conversation.turns[:-1]
    for turn in turns:
        if turn.role != "assistant":
            continue
        text = turn.content.strip()
        if text[:1].isalnum() or _VISIBLE.search(text):  # nearly all begin with a letter, and to look is cheaper
            replies.append(Reply(turn, text, bool(turn.tool_calls)))
        elif not turn.tool_calls:
            silent.append(turn)
    return Context(conversation, options, patterns, tuple(replies), tuple(silent), measure(conversation))
