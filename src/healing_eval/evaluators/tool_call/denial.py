"""Does the reply say that nothing was found although the one lookup before it found something?

The issue is critical, so only the plainest case counts: one call since the user's last word, one list in its answer
with something in it, a denial of just what the tool looks for without any restriction, and not one value of the
answer in the reply.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from healing_eval.domain.conversation import ToolResult
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.tool_call.context import Context, PlacedCall
from healing_eval.evaluators.values.text import fold, words_of_name

_DENIAL = re.compile(
    r"\b(?:(?:could not|couldn't|cannot|can't|did not|didn't|(?:was )?unable to|was not able to) (?:find|locate) any|"
    r"there (?:are|were) (?:currently )?no|(?:i )?found no|(?:returned|got) no|no(?= (?:[a-z]+ ){1,3}were found))"
    r" ((?:[a-z]+ ?){1,4})"
)
_RESTRICTS = re.compile(
    r"\b(?:under|below|above|over|less|cheaper|with|without|that|which|who|than|but|other|more|else|also|only|within|"
    r"before|after|matching|match|if|meet|fit|suit|left|remaining|further|additional)\b"
)
_STOPS = frozenset(("for", "from", "in", "on", "at", "to", "between", "near", "available", "were", "found", "right"))
_GENERIC = frozenset(("results", "records", "matches", "options", "entries"))
_SENTENCE = re.compile(r"[^.!?\n]+")
_MAX_CHARACTERS = 20_000
_MAX_DEPTH = 4
_MAX_LEAVES = 500
_MIN_VALUE = 3


def check_denial(context: Context) -> Iterator[Issue]:
    """Report replies that deny what the tool returned."""
    alone: dict[int, PlacedCall | None] = {}
    for placed in context.calls:
        alone[placed.users_turns] = None if placed.users_turns in alone else placed
    lookups = {number: placed for number, placed in alone.items() if placed and _found(context, placed)}
    if not lookups:
        return
    said = _said(context, lookups)
    for number, placed in lookups.items():
        text = "\n".join(said[number])[:_MAX_CHARACTERS].lower().replace("\u2019", "'")
        denial = _denial(text, placed)
        if denial and not _names_a_value(text, placed):
            yield issue(
                "result_contradicted",
                f"{placed.call.tool_name[:80]!r} found something, and the reply says that there is nothing.",
                turn_id=placed.turn.turn_id,
                tool_name=placed.call.tool_name,
                evidence=denial,
                detail="denied",
            )


def _said(context: Context, lookups: dict[int, PlacedCall]) -> dict[int, list[str]]:
    """What the agent said after each lookup, up to the user's next word."""
    said: dict[int, list[str]] = defaultdict(list)
    stretch = 0
    for index, turn in enumerate(context.conversation.turns):
        stretch += turn.role == "user"
        if turn.role == "assistant" and stretch in lookups and index >= lookups[stretch].turn_index:
            said[stretch].append(turn.content)
    return said


def _found(context: Context, placed: PlacedCall) -> bool:
    """Whether a call that only reads returned exactly one list, and something in it."""
    result = placed.call.result
    if result is None or result.failed or context.verb(placed.call.tool_name):
        return False
    lists = _lists(_value(result))
    return len(lists) == 1 and bool(lists[0])


def _value(result: ToolResult) -> Any:
    if not isinstance(result.value, str) or result.value[:1] not in ("{", "["):
        return result.value
    try:
        return msgspec.json.decode(result.value)
    except (msgspec.DecodeError, RecursionError):
        return None


def _lists(answer: Any) -> list[list[Any]]:
    """The lists of an answer that are not within a list; a count of 0 counts as an empty one."""
    found: list[list[Any]] = []
    level: list[Any] = [answer]
    for _ in range(_MAX_DEPTH + 1):
        inner: list[Any] = []
        for node in level:
            if isinstance(node, str):
                continue
            if isinstance(node, dict):
                inner += cast("dict[str, Any]", node).values()
            elif isinstance(node, list):
                found.append(cast("list[Any]", node))
            elif node == 0 and type(node) is int:
                found.append([])
        if not inner:
            break
        level = inner
    return found


def _denial(text: str, placed: PlacedCall) -> str | None:
    """The first sentence that denies, without any restriction, what the tool's name says it looks for."""
    things = {word.rstrip("s") for word in words_of_name(placed.call.tool_name)}
    for sentence in _SENTENCE.finditer(text):
        found = _DENIAL.search(sentence[0])
        if not found or _RESTRICTS.search(sentence[0], found.start()):
            continue
        named: list[str] = []
        for word in found[1].split():
            if word in _STOPS:
                break
            named.append(word)
        if named and all(word in _GENERIC or word.rstrip("s") in things for word in named):
            return sentence[0].strip()
    return None


def _names_a_value(text: str, placed: PlacedCall) -> bool:
    """Whether the reply holds a value of the answer: then it speaks of what was found."""
    asked = {fold(str(value)[:200]) for value in placed.call.parameters.values()}
    folded = f" {fold(text)} "
    result = placed.call.result
    pending: list[Any] = list(_lists(_value(result))) if result else []
    for _ in range(_MAX_LEAVES):
        if not pending:
            return False
        node = pending.pop()
        if isinstance(node, dict):
            pending.extend(cast("dict[str, Any]", node).values())
        elif isinstance(node, list):
            pending.extend(cast("list[Any]", node)[:_MAX_LEAVES])
        elif isinstance(node, str | int) and not isinstance(node, bool):
            value = fold(str(node)[:200])
            if len(value) >= _MIN_VALUE and value not in asked and f" {value} " in folded:
                return True
    return False
