"""Which argument values were made up?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache

import msgspec

from healing_eval.domain.evaluation import Issue, issue
from healing_eval.domain.issue_types import Severity
from healing_eval.evaluators.tool_call.arguments import pointer
from healing_eval.evaluators.tool_call.context import Context, PlacedCall
from healing_eval.evaluators.tool_call.grounding.evidence import Evidence
from healing_eval.evaluators.tool_call.grounding.leaves import FREE_TEXT, Kind, Leaf, leaves
from healing_eval.evaluators.tool_call.grounding.moments import moment_said, read_moment
from healing_eval.evaluators.tool_call.grounding.numbers import number_said
from healing_eval.evaluators.tool_call.grounding.soft import SoftGrounds, effort
from healing_eval.evaluators.tool_call.grounding.strings import phrase_said
from healing_eval.evaluators.values.dates import MONTHS
from healing_eval.evaluators.values.text import find_word, fold, words_of_name

MOST_CHARACTERS = 200_000_000
"""How much text is searched for one conversation's values. Values times text would else grow without bound; a thousand
values in a conversation of 200,000 characters are within it."""


class Grounding:
    """One conversation's values, looked up once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._evidence = Evidence(context.passages)
        self._grounded: set[str | int | float] = set()
        self._free_text = _free_text(context.options.free_text_arguments)
        self._characters_left = MOST_CHARACTERS
        self.checked = 0
        self.ungrounded = 0
        self.passed_over = 0
        """Values that were not looked up any more, because too much text had been searched."""

    @cached_property
    def _soft(self) -> SoftGrounds:
        return SoftGrounds(self._context, self._is_said)

    def values(self) -> Iterator[tuple[PlacedCall, Leaf, bool]]:
        """Every value whose ground can be decided, with its call and whether it has one."""
        grounded = self._grounded
        for placed in self._context.calls:
            properties = self._context.schema(placed.call.tool_name).properties
            for leaf in leaves(placed.call.parameters, properties, self._free_text):
                if self._characters_left < 0:
                    self.passed_over += 1
                    continue
                if leaf.kind != "fact":
                    found = self._soft_ground(leaf, placed)
                else:
                    found = leaf.value in grounded
                    if not found and self._is_said(leaf, placed):
                        found = True
                        grounded.add(leaf.value)
                if found is None:
                    continue
                self.checked += 1
                self.ungrounded += not found
                yield placed, leaf, found

    def check(self) -> Iterator[Issue]:
        """Report each value without a ground, once for a tool and argument."""
        reported: set[tuple[str, str, str | int | float]] = set()
        latest, writes = None, False
        for placed, leaf, found in self.values():
            if found:
                continue
            tool_name = placed.call.tool_name
            if placed is not latest:
                latest, writes = placed, self._context.verb(tool_name) is not None
            key = (tool_name, leaf.name, leaf.value)
            if key in reported:
                continue
            reported.add(key)
            yield issue(
                "ungrounded_argument",
                _description(leaf.kind, tool_name[:80], leaf.name[:80]),
                turn_id=placed.turn.turn_id,
                tool_name=tool_name,
                argument=pointer(leaf.path),
                evidence=str(leaf.value),
                severity=_SEVERITIES[leaf.kind, writes],
            )

    def _soft_ground(self, leaf: Leaf, placed: PlacedCall) -> bool | None:
        """Whether a value that need not be said as it is has a ground; None if that cannot be decided."""
        self._characters_left -= effort(leaf) * self._context.passages.raw(placed.known_pieces)[1]
        return self._soft.ground(leaf, placed)

    def _is_said(self, leaf: Leaf, placed: PlacedCall) -> bool:
        value, pieces, evidence = leaf.value, placed.known_pieces, self._evidence
        passages = evidence.passages
        self._characters_left -= passages.ends[pieces]
        if not isinstance(value, str):
            return number_said(value, leaf.name, evidence, pieces)
        bare = value.strip()
        if bare[0] in _BEGINS_A_NUMBER:
            moment = read_moment(bare)
            if moment is not None and not moment.minutes:
                return moment_said(moment, leaf.name, evidence, pieces)
            if find_word(passages.whole, bare, passages.ends[pieces]):
                return True
            if moment is not None:
                return moment_said(moment, leaf.name, evidence, pieces)
            number = _number(bare)
            if number is not None:
                return number_said(number, leaf.name, evidence, pieces)
        elif bare.lower() in _MONTHS and evidence.relative_from < passages.plain(pieces)[1]:
            return True  # "this month" is not said by its name
        return phrase_said(value, passages, pieces) or _names_the_deed(value, leaf.name, placed.call.tool_name)


_FAULTS: dict[Kind, str] = {
    "fact": "a value for {} that nothing before the call mentions",
    "list": "a list for {} with a value that nothing before the call mentions",
    "member": "a value for {} that nobody named, while another one of its values was",
    "wording": "a text for {} about things that nothing before the call mentions",
    "credential": "another value for {} than the one this conversation holds",
}


@lru_cache(maxsize=4096)
def _description(kind: Kind, tool_name: str, argument: str) -> str:
    return f"{tool_name!r} was given {_FAULTS[kind].format(repr(argument))}."


def _severity(kind: Kind, *, writes: bool) -> Severity:
    """A value that had to be said as it is makes a sure finding; the others one less grave."""
    if kind in ("fact", "list"):
        return "error" if writes else "warning"
    return "warning" if writes else "info"


_SEVERITIES: dict[tuple[Kind, bool], Severity] = {
    (kind, writes): _severity(kind, writes=writes) for kind in _FAULTS for writes in (True, False)
}
_MONTHS = frozenset(MONTHS)
_BEGINS_A_NUMBER = frozenset("0123456789+-.$€£")


@lru_cache(maxsize=64)
def _free_text(more: tuple[str, ...]) -> frozenset[str]:
    return FREE_TEXT | {name.lower() for name in more}


def _names_the_deed(value: str, argument: str, tool_name: str) -> bool:
    """Whether the value only says what the tool does, as event_type = "event" of create_event.

    A value that is the argument's own name is a placeholder instead.
    """
    words = fold(value).split()
    return words != list(words_of_name(argument)) and set(words_of_name(tool_name)).issuperset(words)


def _number(text: str) -> int | float | None:
    """Read a string that is nothing but a number without a leading zero; such a zero makes it a code."""
    plain = text.lstrip("$€£").replace(",", "").rstrip("%")
    if not plain or len(plain) > 24 or (plain[0] == "0" and plain[1:2].isdigit()):
        return None
    try:
        return msgspec.convert(plain, int | float, strict=False)
    except msgspec.ValidationError:
        return None
