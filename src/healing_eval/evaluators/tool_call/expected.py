"""Were the calls made that a person says should have been made?

Calls and expectations meet through the tool's name and a key of the arguments, so that the cost grows with their
number and not with its square. Only an expectation that permits very many combinations is compared call by call.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterator, Sequence
from itertools import islice, product
from math import prod
from typing import Any, cast

from healing_eval.domain.conversation import ExpectedCall
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.tool_call.context import Context, PlacedCall
from healing_eval.evaluators.tool_call.tools import plain_name
from healing_eval.evaluators.values.text import fold

_MAX_COMBINATIONS = 256
_MAX_COMPARISONS = 100_000
"""How many calls a conversation's widest expectations are held against, one by one."""

Key = Hashable


def check_expected(context: Context) -> Iterator[Issue]:
    """Compare with the expected calls, in any order; nothing when none are given."""
    expected = context.conversation.expected_calls
    if expected is None:
        return
    made = _Made(context.calls)
    unmatched = [wanted for wanted in map(_Allowed, expected) if not made.take_exact(wanted)]
    for wanted in unmatched:
        near = made.take_any(wanted)
        if near is None:
            yield issue("missing_call", f"{wanted.name[:80]!r} should have been called.", tool_name=wanted.name)
            continue
        placed, argument = near
        yield issue(
            "wrong_arguments",
            f"{wanted.name[:80]!r} was called with another {argument[:80]!r} than expected.",
            turn_id=placed.turn.turn_id,
            tool_name=placed.call.tool_name,
            argument=f"/{argument}",
        )
    for placed in made.left():
        yield issue(
            "unexpected_call",
            f"{placed.call.tool_name[:80]!r} was called and was not expected.",
            turn_id=placed.turn.turn_id,
            tool_name=placed.call.tool_name,
        )


class _Allowed:
    """What one expectation permits, argument by argument."""

    def __init__(self, wanted: ExpectedCall) -> None:
        self.name = wanted.tool_name
        self.tool = plain_name(wanted.tool_name)
        choices = {name: _choices(acceptable) for name, acceptable in wanted.parameters.items()}
        self.keys = {name: frozenset(map(_key, permitted)) for name, permitted in choices.items()}
        self.optional = {name for name, permitted in choices.items() if None in permitted}

    def combinations(self) -> Iterator[Key] | None:
        """Each way to fill the arguments; None if there are too many."""
        options: list[list[tuple[str, Key] | None]] = [
            [*((name, key) for key in keys), *([None] if name in self.optional else [])]
            for name, keys in self.keys.items()
        ]
        if prod(map(len, options)) > _MAX_COMBINATIONS:
            return None
        return (frozenset(pair for pair in filled if pair is not None) for filled in product(*options))

    def wrong(self, given: dict[str, Key]) -> str | None:
        """The first argument that is not as expected; None if all are."""
        for name, keys in self.keys.items():
            if name not in given:
                if name not in self.optional:
                    return name
            elif given[name] not in keys:
                return name
        return next((name for name in given if name not in self.keys), None)


class _Made:
    """The calls that were made, each to be taken by one expectation."""

    def __init__(self, calls: Sequence[PlacedCall]) -> None:
        self._calls = calls
        self._arguments = [{name: _key(value) for name, value in one.call.parameters.items()} for one in calls]
        self._taken = [False] * len(calls)
        self._by_tool: dict[str, deque[int]] = defaultdict(deque)
        self._by_key: dict[tuple[str, Key], deque[int]] = defaultdict(deque)
        self._comparisons = _MAX_COMPARISONS
        for number, (placed, arguments) in enumerate(zip(calls, self._arguments, strict=True)):
            tool = plain_name(placed.call.tool_name)
            self._by_tool[tool].append(number)
            self._by_key[tool, frozenset(arguments.items())].append(number)

    def take_exact(self, wanted: _Allowed) -> bool:
        """Take the first call that is as wanted; false if none is left."""
        keys = wanted.combinations()
        if keys is None:
            number = self._search(wanted)
        else:
            fronts = (self._front(self._by_key.get((wanted.tool, key))) for key in keys)
            number = min((front for front in fronts if front is not None), default=None)
        if number is None:
            return False
        self._taken[number] = True
        return True

    def take_any(self, wanted: _Allowed) -> tuple[PlacedCall, str] | None:
        """Take the first call of the tool that is left, with the argument that is not as wanted."""
        number = self._front(self._by_tool.get(wanted.tool))
        if number is None:
            return None
        self._taken[number] = True
        return self._calls[number], wanted.wrong(self._arguments[number]) or ""

    def left(self) -> Iterator[PlacedCall]:
        """Give the calls that nobody took."""
        return (placed for placed, taken in zip(self._calls, self._taken, strict=True) if not taken)

    def _front(self, queue: deque[int] | None) -> int | None:
        """The first of a queue that is not taken yet; those before it are dropped for good."""
        while queue and self._taken[queue[0]]:
            queue.popleft()
        return queue[0] if queue else None

    def _search(self, wanted: _Allowed) -> int | None:
        for number in islice(self._by_tool.get(wanted.tool, ()), self._comparisons):
            self._comparisons -= 1
            if not self._taken[number] and wanted.wrong(self._arguments[number]) is None:
                return number
        return None


def _key(value: Any) -> Key:
    """A hashable stand-in: two values have the same one if, and only if, they count as equal."""
    if isinstance(value, str):
        folded = fold(value)
        return (str, folded) if folded else (str, "", value)
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, list):
        return (list, tuple(map(_key, cast("list[Any]", value))))
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return (dict, frozenset((name, _key(one)) for name, one in table.items()))
    return value


def _choices(acceptable: Any) -> list[Any]:
    if isinstance(acceptable, dict):
        table = cast("dict[str, Any]", acceptable)
        if set(table) == {"any_of"} and isinstance(table["any_of"], list):
            return cast("list[Any]", table["any_of"])
    return [acceptable]
