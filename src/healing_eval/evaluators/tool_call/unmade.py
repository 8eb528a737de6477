"""Did the agent leave out a call that the user's own words spell out?

Two things are decided from the words alone: the user named a tool by its identifier, and it was never called; the user
gave several quantities of one kind, as "in 4 seconds, then in 10 seconds", and the calls took up only some of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple, cast

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.tool_call.context import Context, PlacedCall
from healing_eval.evaluators.tool_call.tools import plain_name

_IDENTIFIER = re.compile(r"[\w.]{3,80}")
_LOOKS_LIKE_ONE = re.compile(r"\w[._]\w|[a-z][A-Z]")
_NOT_WANTED = re.compile(r"\b(?:not|never|without|instead|n't|avoid|except)\b", re.IGNORECASE)
_QUANTITY = re.compile(r"(?<![\w.,/:\-])\d{1,12}(?:,\d{3}){0,4}(?:\.\d{1,12})?")
_AFTER = re.compile(r"%|°[CF]?|[ -]?([a-z²³]{1,20})", re.IGNORECASE)
_BEFORE = re.compile(r"([a-z]{1,20}) ?(?:= ?|: ?|of |is |was )?[$€£]?$", re.IGNORECASE)
_POWERS = {"thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9}
_SIZES = (1e3, 1e6, 1e9)
# fmt: off
_NO_KIND = frozenset((
    "a", "also", "an", "and", "are", "as", "at", "but", "by", "each", "first", "for", "from", "i", "if", "in", "into",
    "is", "it", "me", "my", "number", "numbers", "of", "on", "or", "respectively", "say", "second", "so", "than",
    "that", "the", "then", "these", "this", "to", "two", "using", "value", "values", "was", "what", "when", "where",
    "which", "while", "with", *("thousand", "million", "billion"),
))
_CHOICE = frozenset((
    "above", "around", "before", "below", "between", "change", "changed", "either", "exceed", "exceeding", "from",
    "instead", "least", "less", "max", "maximum", "minimum", "more", "most", "not", "or", "over", "rather", "than",
    "to", "under", "until", "within",
))
"""Words that make a number a bound, or one of several to choose from, and not a value of its own."""
# fmt: on
_MAX_CHARACTERS = 10_000
_MAX_QUANTITIES = 100
_MAX_NUMBERS = 2_000
_LARGEST = 1e15


def check_unmade(context: Context) -> Iterator[Issue]:
    """Report tools that the user named and quantities that the user gave, which no call took up.

    Without definitions nobody knows what else could have been called.
    """
    if context.conversation.tools:
        yield from _named(context.conversation)
        yield from _left(context)


def asks_by_name(conversation: Conversation) -> bool:
    """Whether the user named a tool that was never called, so that the evaluator has something to look at."""
    return next(_named(conversation), None) is not None


def _named(conversation: Conversation) -> Iterator[Issue]:
    names = [name for tool in conversation.tools if (name := _identifier(tool.name))]
    users = [turn for turn in conversation.turns if turn.role == "user"] if names else []
    unified = "\n".join([turn.content[:_MAX_CHARACTERS] for turn in users]).replace(".", "_")
    if not any(name in unified for name in names):
        return
    uncalled = _uncalled(conversation)
    for turn in users:
        content = turn.content[:_MAX_CHARACTERS]
        for found in _IDENTIFIER.finditer(content):
            written = found[0].strip("._")
            name = plain_name(written)
            if name not in uncalled or not _LOOKS_LIKE_ONE.search(written):
                continue
            if _NOT_WANTED.search(content, max(0, found.start() - 40), found.start()):
                continue
            uncalled.discard(name)
            yield issue(
                "unmade_call",
                f"The user asked for {written[:80]!r} by name, and the agent never called it.",
                turn_id=turn.turn_id,
                tool_name=written,
                evidence=content[max(0, found.start() - 100) : found.end() + 100],
                detail="named",
            )


@lru_cache(maxsize=4096)
def _identifier(name: str) -> str | None:
    """The name with underscores, when nobody would write it but as a name: "tide_table" and not "search"."""
    return name.replace(".", "_") if _LOOKS_LIKE_ONE.search(name) else None


def _uncalled(conversation: Conversation) -> set[str]:
    """The plain names of the tools that were never called."""
    calls = (call for turn in conversation.turns if turn.role == "assistant" for call in turn.tool_calls)
    return {plain_name(tool.name) for tool in conversation.tools} - {plain_name(call.tool_name) for call in calls}


class _Quantity(NamedTuple):
    """A number as it was said."""

    values: tuple[float, ...]
    """Its value; two where a letter may be a power or a unit, as in "5 m"."""
    kinds: tuple[str, ...]
    """What it counts or measures, and what it was called."""
    written: str


def _left(context: Context) -> Iterator[Issue]:
    """Find quantities of a kind of which a call took up another, and that nobody came back to."""
    taken: set[float] | None = None
    for said, last, passed in _stretches(context):
        kinds = {kind for one in said if not passed.isdisjoint(one.values) for kind in one.kinds}
        if not kinds:
            continue
        taken = _taken(context) if taken is None else taken
        left = [one for one in said if taken.isdisjoint(one.values) and not kinds.isdisjoint(one.kinds)]
        if left:
            yield _incomplete(last, left)


def _incomplete(last: PlacedCall, left: Sequence[_Quantity]) -> Issue:
    listed = ", ".join(repr(one.written) for one in left[:5])
    return issue(
        "unmade_call",
        f"The user also asked about {listed}, and no call of {last.call.tool_name[:80]!r} or any tool took that up.",
        turn_id=last.turn.turn_id,
        tool_name=last.call.tool_name,
        evidence=listed,
        detail="quantity",
    )


def _stretches(context: Context) -> Iterator[tuple[list[_Quantity], PlacedCall, set[float]]]:
    """Give the quantities the user said at a time, with the last call until the next word, and what all calls passed.

    Only where a number of the calls may stand in what was said: to read all quantities takes a hundred times longer.
    """
    passed: dict[int, set[float]] = {}
    last: dict[int, PlacedCall] = {}
    for placed in context.calls:
        values = set(_numbers(placed.call.parameters.values()))
        if values:
            passed.setdefault(placed.users_turns, set()).update(values)
            last[placed.users_turns] = placed
    for number, content in enumerate(_said_by_user(context.conversation) if passed else (), start=1):
        values = passed.get(number)
        if values and _any_stands(values, content.replace(",", "")):
            said = list(islice(_quantities(content), _MAX_QUANTITIES))
            if len(said) > 1:
                yield said, last[number], values


def _said_by_user(conversation: Conversation) -> list[str]:
    return [turn.content[:_MAX_CHARACTERS] for turn in conversation.turns if turn.role == "user"]


def _any_stands(values: set[float], text: str) -> bool:
    return any(spelling in text for value in values for spelling in _spellings(value))


def _spellings(value: float) -> Iterator[str]:
    """How a number may have been said in digits; "1.25k" is round in tens, as are all that are said by a power."""
    yield str(int(value)) if value.is_integer() else repr(value)
    if value and value % 10 == 0:
        for size in _SIZES:
            part = value / size
            yield str(int(part)) if part.is_integer() else repr(part)


def _quantities(content: str) -> Iterator[_Quantity]:
    for found in _QUANTITY.finditer(content):
        value = float(found[0].replace(",", ""))
        before = _BEFORE.search(content[max(0, found.start() - 30) : found.start()])
        name = before[1].lower() if before else ""
        sign = content[found.start() - 1 : found.start()] if found.start() else ""
        after = _AFTER.match(content, found.end())
        unit = (after[1] or after[0] if after else "").lower()
        if name not in _CHOICE:
            yield _Quantity(
                (value, value * _POWERS.get(unit, 1)),
                tuple(_kinds(unit, name, sign)),
                found[0] + (after[0] if after else ""),
            )


def _kinds(unit: str, name: str, sign: str) -> Iterator[str]:
    if unit and unit not in _NO_KIND and unit not in _CHOICE:
        yield unit.rstrip("s")
    if name and name not in _NO_KIND:
        yield f"{name}:"
    if sign in ("$", "€", "£"):
        yield sign


def _numbers(values: Iterable[Any]) -> Iterator[float]:
    for value in values:
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST:
            yield abs(float(value))


def _taken(context: Context) -> set[float]:
    """Every number that a call or a word of the agent took up, in other sizes of its unit too; the first 2,000."""
    texts = [turn.content[:_MAX_CHARACTERS] for turn in context.conversation.turns if turn.role == "assistant"]
    found: set[float] = set()
    stack: list[Any] = [*texts, *(placed.call.parameters for placed in context.calls)]
    while stack and len(found) < _MAX_NUMBERS:
        item = stack.pop()
        if isinstance(item, dict):
            stack += cast("dict[str, Any]", item).values()
        elif isinstance(item, list):
            stack += cast("list[Any]", item)
        elif isinstance(item, str):
            found.update(float(one[0].replace(",", "")) for one in _QUANTITY.finditer(item))
        else:
            found.update(_numbers((item,)))
    return {round(value * size, 6) for value in found for size in (1, 100, 0.01, 1000, 0.001)}
