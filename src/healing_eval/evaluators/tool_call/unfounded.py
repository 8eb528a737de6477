"""Could the call's required values come from what was said at all?

One value without a ground is a warning elsewhere: it may be the agent's knowledge. Here it is asked whether the call
as a whole was made up, so only values count of which not one word was said, and neither codes nor units nor formulas,
which are often another way to write what was said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast

from healing_eval.domain.conversation import ToolDefinition
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.tool_call.context import Context, PlacedCall
from healing_eval.evaluators.tool_call.telling import any_said, is_heard, speaks_english, telling_words
from healing_eval.evaluators.values.dates import MONTHS
from healing_eval.evaluators.values.text import find_word

_MOMENT = re.compile(r"\d{4}-\d\d|\d\d?/\d\d?/\d{2,4}")
_OTHER_WRITING = re.compile(r"[A-Z]{1,5}|[a-z/²³°]{1,5}|\d*[a-z]{1,3}|.*[=*^+()<>].*", re.DOTALL)
"""A code, a unit or a formula, as "USD", "km/h", "x**2"."""
_DATE = re.compile(r"\d\d?[-/.]\d\d?[-/.]\d\d|\d{4}-\d\d|\d(?:st|nd|rd|th)\b|\b(?:19|20)\d\d\b")
_WORDS_OF_TIME = (
    *MONTHS,
    *(f"{day}day" for day in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")),
    *("today", "tonight", "tomorrow", "yesterday", "now", "next", "last", "week", "weekend", "month", "days"),
)
_DIGIT = re.compile(r"\d")
_MAX_CALLS = 20
"""How many calls of a conversation are looked at closely, since each searches all that was said."""
_MAX_LEAVES = 40


def check_unfounded(context: Context, made_up: Sequence[Issue]) -> Iterator[Issue]:
    """Report calls that were made up as a whole, each tool once.

    Args:
        context: the conversation.
        made_up: what `Grounding.check` reported of it.
    """
    if not made_up or not context.conversation.tools:
        return
    values = {(one.tool_name, one.evidence) for one in made_up}
    doubtful = {one.tool_name for one in made_up}
    left = _MAX_CALLS
    for placed in context.calls:
        tool = context.definition(placed.call.tool_name) if placed.call.tool_name in doubtful else None
        if tool is None:
            continue
        reason = _Suspect(context, placed, tool).reason(values)
        if reason:
            if not speaks_english(context.conversation):
                return
            doubtful.discard(placed.call.tool_name)
            yield _unfounded(placed, reason)
        left -= 1
        if left == 0:
            return


def _unfounded(placed: PlacedCall, reason: str) -> Issue:
    call = placed.call
    return issue(
        "unfounded_call",
        f"{call.tool_name[:80]!r} was called although {reason}.",
        turn_id=placed.turn.turn_id,
        tool_name=call.tool_name,
        evidence=", ".join(f"{name[:40]}={str(value)[:60]}" for name, value in list(call.parameters.items())[:5]),
    )


_Values = set[tuple[str | None, str | None]]
"""Tools, each with a value that has no ground."""


class _Suspect:
    """One call, and what was said before it."""

    def __init__(self, context: Context, placed: PlacedCall, tool: ToolDefinition) -> None:
        self._passages = context.passages
        self._pieces = placed.known_pieces
        self._tool = tool
        self._name = placed.call.tool_name
        self._properties = context.schema(self._name).properties
        parameters = placed.call.parameters
        self._required = {name: parameters[name] for name in _required(tool) if name in parameters}

    def reason(self, made_up: _Values) -> str | None:
        """Say why the call was made up as a whole, or None when it may not have been."""
        weights = {name: self._weigh(value, made_up) for name, value in self._required.items()}
        invented = [name for name, one in weights.items() if one.invented]
        if any(weights[name].moment for name in invented):
            return "no date was ever mentioned that it could have been given"
        if len(invented) > 1 and (any(not weights[name].common for name in invented) or not self._is_related()):
            return "several values that it requires were never mentioned"
        if invented and self._is_out_of_place(weights[invented[0]], invented[0], weights):
            return "neither what the tool is named after, nor a value that it requires, was ever mentioned"
        if any(one.made_up for one in weights.values()) and self._is_foreign(made_up):
            return "neither the tool nor any value that it requires has to do with what was said"
        return None

    def _weigh(self, value: Any, made_up: _Values) -> _Weight:
        held = list(_held(value))
        if not held or any((self._name, str(one)[:300]) not in made_up for one in held):
            return _Weight(heard=any(is_heard(one, self._passages, self._pieces) for one in held))
        if any(is_heard(one, self._passages, self._pieces) for one in held):
            return _Weight(made_up=True, heard=True)
        kinds = {_kind(one) for one in held}
        if "moment" in kinds and self._dates_said:  # one of those that were said, worked out wrongly at worst
            return _Weight(made_up=True)
        return _Weight(
            made_up=True,
            invented=kinds != {"other writing"},
            moment="moment" in kinds,
            text="text" in kinds,
            common=all(isinstance(one, str) and one.replace(" ", "").isalpha() for one in held),
        )

    def _is_out_of_place(self, invented: _Weight, argument: str, weights: dict[str, _Weight]) -> bool:
        """Whether neither the tool nor the invented argument is about anything that was said.

        A number may be worked out from others.
        """
        if not invented.text and any(one.heard for one in weights.values()) and self._numbers_said():
            return False
        described = _text(self._properties.get(argument), "description")
        about = (*telling_words(argument), *telling_words(described))
        return not self._is_related() and not self._any_said(about)

    def _is_related(self) -> bool:
        """Whether a word that the tool is named after was said; true when its name tells nothing."""
        words = telling_words(self._tool.name) or telling_words(self._tool.description or "")
        return not words or self._any_said(words)

    def _is_foreign(self, made_up: _Values) -> bool:
        """Whether neither name nor description of the tool, nor any value it was given, has to do with what was said.

        A call that holds nothing but flags, choices and defaults tells nothing either way.
        """
        words = (*telling_words(self._tool.name), *telling_words(self._tool.description or ""))
        if not words or self._any_said(words):
            return False
        given = [item for item in self._required.items() if not self._is_choice(*item)]
        return not any(self._has_ground(one, made_up) for _, value in given for one in _held(value))

    def _has_ground(self, value: str | float, made_up: _Values) -> bool:
        if isinstance(value, str) and (not value.isascii() or (self._name, value[:300]) not in made_up):
            return True
        return is_heard(value, self._passages, self._pieces, whole=True)

    def _is_choice(self, name: str, value: Any) -> bool:
        schema = self._properties.get(name)
        if not isinstance(schema, dict):
            return False
        known = cast("dict[str, Any]", schema)
        return "enum" in known or "const" in known or ("default" in known and known["default"] == value)

    def _any_said(self, words: tuple[str, ...]) -> bool:
        return any_said(words, self._passages, self._pieces)

    def _numbers_said(self) -> bool:
        text, limit = self._passages.raw(self._pieces)
        return _DIGIT.search(text, 0, limit) is not None

    @cached_property
    def _dates_said(self) -> bool:
        text, limit = self._passages.raw(self._pieces)
        if _DATE.search(text, 0, limit):
            return True
        text, limit = self._passages.plain(self._pieces)
        return any(find_word(text, word, limit) for word in _WORDS_OF_TIME)


class _Weight(NamedTuple):
    """What is known about one required argument."""

    made_up: bool = False
    """Whether all it holds has no ground."""
    invented: bool = False
    """Whether, beyond that, not one word of it was said, and it is no other writing of what was said."""
    moment: bool = False
    text: bool = False
    common: bool = False
    """Whether it is nothing but words, which may sort what was said, as "billing" does."""
    heard: bool = False


def _kind(value: str | float) -> str:
    if not isinstance(value, str):
        return "number"
    if _MOMENT.match(value.strip()):
        return "moment"
    if not value.isascii() or _OTHER_WRITING.fullmatch(value.strip()):
        return "other writing"  # what is not in ASCII may be a translation
    return "text"


def _text(schema: Any, key: str) -> str:
    value = cast("dict[str, Any]", schema).get(key) if isinstance(schema, dict) else None
    return value if isinstance(value, str) else ""


def _required(tool: ToolDefinition) -> list[str]:
    required = (tool.parameters or {}).get("required")
    if not isinstance(required, list):
        return []
    return [name for name in cast("list[Any]", required)[:_MAX_LEAVES] if isinstance(name, str)]


def _held(value: Any) -> Iterator[str | int | float]:
    """The texts and numbers that an argument holds, the first 40."""
    stack = [value]
    left = _MAX_LEAVES
    while stack and left:
        item = stack.pop()
        left -= 1
        if isinstance(item, dict):
            stack += list(cast("dict[str, Any]", item).values())[:_MAX_LEAVES]
        elif isinstance(item, list):
            stack += cast("list[Any]", item)[:_MAX_LEAVES]
        elif isinstance(item, str | int | float) and not isinstance(item, bool):
            yield item
