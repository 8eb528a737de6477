"""Did the agent say something, to the end, and did it answer last?

A text counts as broken off only when its own form proves it: a structure it opened and did not close, or a last word
or mark after which something must follow. A missing full stop proves nothing (lists, links, emoji, other scripts).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.heuristic.context import Context, Reply

_LONG_TEXT = 60
"""Characters below which an odd ending is a manner of speaking."""
_TAIL = 300
_CLOSING_LINE_WORDS = 5
"""A last line of a letter, such as "With kind regards,", has at most as many words."""
_DANGLING = frozenset(
    ["and", "or", "but", "because", "the", "an", "your", "our", "if", "whether", "which", "although", "unless"]
)
_FENCE = re.compile(r"^[ \t]{0,3}```", re.MULTILINE)
_JSON_START = re.compile(r"\{\s{0,40}\"|\[\s{0,40}[\{\"\[]")
_JSON_PART = re.compile(r'"(?:[^"\\]|\\.)*+"|["{}\[\]]', re.DOTALL)
_FAREWELL = re.compile(
    r"^(?:oh|ah|ok|okay|i see|got it|no|nope|nah)(?!\w)|"
    r"(?<!\w)(?:thanks?|thx|bye|goodbye|cheers|great|perfect|awesome|stop|done|good night|take care|have a|that's all|"
    r"that is all|all set|no more|nothing else|everything i need|n.t need|appreciate|merci|danke|gracias|"
    r"obrigad[oa])(?!\w)|^#+\w+#+$",
    re.IGNORECASE,
)
"""Farewells, bare acknowledgements, and the marks with which simulated users hang up."""
_FAREWELL_CHARACTERS = 300


def check(context: Context) -> Iterator[Issue]:
    """Report empty turns, turns that break off, and a last request without an answer."""
    acted = context.replies or any(turn.tool_calls for turn in context.conversation.turns)
    # An agent that never said or did anything has failed, whatever else is in order.
    severity = None if acted else "critical"
    for turn in context.silent:
        what = "The assistant turn holds neither text nor a tool call."
        yield issue("empty_response", what, turn_id=turn.turn_id, severity=severity)
    for reply in context.replies:
        reason = None if reply.calls else broken_off(reply.text)
        if reason:
            yield _truncated(reply, reason)
    yield from _early_exit(context)


def broken_off(text: str) -> str | None:
    """Say by which sign a stripped text breaks off in the middle; None if there is none."""
    if "```" in text and len(_FENCE.findall(text)) % 2:
        return "an open code fence"
    if text[0] in "{[" and text[-1] not in "}]" and _JSON_START.match(text) and _open_brackets(text):
        return "unclosed JSON"
    if len(text) < _LONG_TEXT:
        return None
    tail = text[-_TAIL:]
    if tail[-1] in ",，、" and not _is_closing_line(tail):
        return "a comma at the end"
    if tail[-1] == "-" and tail[-2].isalpha():
        return "a word cut by a hyphen"
    if "(" in tail and _opens_parenthesis(tail):
        return "an open parenthesis"
    return "a word that cannot end a sentence" if tail.rsplit(None, 1)[-1] in _DANGLING else None


def _open_brackets(text: str) -> bool:
    """Whether a text that begins as JSON ends before its first value does."""
    depth = 0
    for part in _JSON_PART.finditer(text):
        mark = part[0]
        if mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
            if depth == 0:
                return False
        elif mark == '"':
            return True
    return depth > 0


def _is_closing_line(tail: str) -> bool:
    head, newline, line = tail.rpartition("\n")
    return bool(newline and head) and len(line.split()) <= _CLOSING_LINE_WORDS


def _opens_parenthesis(tail: str) -> bool:
    """Whether the text ends inside a parenthesis begun in its last line."""
    line = tail.rpartition("\n")[2]
    start = line.rfind("(")
    if start < 1 or ")" in line[start:] or line[-1] in ".!?…。！？":
        return False
    emoticon = line[start - 1] in ":;=8-'^" or start == len(line) - 1
    return not emoticon


def _truncated(reply: Reply, reason: str) -> Issue:
    return issue(
        "truncated_response",
        f"The assistant turn breaks off: {reason}.",
        turn_id=reply.turn.turn_id,
        evidence=reply.text[-80:],
        detail=reason,
    )


def _early_exit(context: Context) -> Iterator[Issue]:
    conversation = context.conversation
    if not conversation.complete:
        return
    last = next((turn for turn in reversed(conversation.turns) if turn.role != "system"), None)
    if last is None or last.role != "user" or _needs_no_answer(last.content):
        return
    yield issue(
        "early_exit",
        "The conversation ends with a turn of the user that got no answer.",
        turn_id=last.turn_id,
        evidence=last.content,
    )


def _needs_no_answer(text: str) -> bool:
    """Whether a user's last words are a farewell or a bare acknowledgement."""
    if not text.strip():
        return True
    return len(text) <= _FAREWELL_CHARACTERS and "?" not in text and bool(_FAREWELL.search(text.strip()))
