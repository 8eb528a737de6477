"""Which records did the tools return, and which of their values does a text name?

A record is one object of a list in a tool's result; its values are compared word by word, so "jing_jing" and
"Jing Jing" are the same. Single plain words count only in columns where they tell the records apart, as names do.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import msgspec

from healing_eval.domain.conversation import Conversation

MAX_RECORDS = 200
MAX_DEPTH = 6
MAX_VALUE_CHARACTERS = 60
MIN_RECORDS_OF_NAMES = 3

_WORD = re.compile(r"[^\W_]+")
_AMOUNT = re.compile(r"(\d+)[ _]([a-z]{3,12})")

_NESTED = (dict, list)

Words = tuple[str, ...]


class Mention(msgspec.Struct, frozen=True):
    """A value of some records that a text names."""

    words: Words
    records: frozenset[int]
    columns: frozenset[str]


class Records:
    """All records that tools returned up to some turn."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self._mentions: dict[Words, Mention] = {}
        self._lengths: dict[str, list[int]] = {}
        """First word of a value to the lengths such values have, longest first."""
        self._words: dict[str, Words] = {}
        """Value to its words; most values stand in several records, and are indexed again with each further call."""
        self._amounts: dict[str, set[str]] | None = None

    def add(self, rows: Sequence[dict[str, str]]) -> None:
        """Take further records in; the oldest give way where there are too many."""
        self.rows = [*self.rows, *rows][-MAX_RECORDS:]
        self._index()

    def _index(self) -> None:
        places: dict[Words, set[tuple[int, str]]] = defaultdict(set)
        naming = self._naming_columns()
        for number, row in enumerate(self.rows):
            for column, value in row.items():
                words = self._words.get(value)
                if words is None:
                    words = self._words[value] = _words_of(value)
                if _tells(words, column in naming):
                    places[words].add((number, column))
        self._mentions = {
            words: Mention(words, frozenset(row for row, _ in found), frozenset(column for _, column in found))
            for words, found in places.items()
        }
        lengths: dict[str, set[int]] = defaultdict(set)
        for words in places:
            lengths[words[0]].add(len(words))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}
        self._amounts = None

    def _naming_columns(self) -> set[str]:
        values: dict[str, list[str]] = defaultdict(list)
        for row in self.rows:
            for column, value in row.items():
                values[column].append(value)
        return {
            column
            for column, found in values.items()
            if len(found) >= MIN_RECORDS_OF_NAMES and len(set(found)) == len(found)
        }

    @property
    def amounts(self) -> dict[str, set[str]]:
        """Unit to the amounts a column has, of columns whose every value is an amount of one unit ("3_miles")."""
        if self._amounts is None:
            self._amounts = _amount_columns(self.rows)
        return self._amounts

    def may_be_named_in(self, words: Iterable[str]) -> bool:
        """Whether some value's first word is among these; tells cheaply that a text names none."""
        return not self._lengths.keys().isdisjoint(words)

    def named_in(self, words: Sequence[str]) -> list[Mention]:
        """Find the values a text names, the longest where several begin at one word; each once."""
        found: dict[Words, Mention] = {}
        index = 0
        while index < len(words):
            step = 1
            for length in self._lengths.get(words[index], ()):
                candidate = tuple(words[index : index + length])
                if candidate in self._mentions:
                    found[candidate] = self._mentions[candidate]
                    step = length
                    break
            index += step
        return list(found.values())

    def unknown_amounts(self, text: str) -> Iterator[str]:
        """Give the amounts a text names in a unit of the records that no record has."""
        if not self.amounts:
            return
        for match in _AMOUNT.finditer(text):
            known = self.amounts.get(match[2])
            if known is not None and match[1] not in known:
                yield match[0]


def _words_of(value: str) -> Words:
    """Give the words of a value, none if it has no letter."""
    words = tuple(_WORD.findall(value))
    return words if any(map(str.isalpha, "".join(words))) else ()


def _tells(words: Words, naming: bool) -> bool:
    """Whether a value is specific enough that naming it is a claim."""
    if len(words) == 1:
        return (naming and len(words[0]) >= 4) or (len(words[0]) >= 3 and not words[0].isalpha())
    return bool(words)


def _amount_columns(rows: Sequence[dict[str, str]]) -> dict[str, set[str]]:
    columns: dict[str, Counter[str]] = defaultdict(Counter)
    amounts: dict[str, set[str]] = defaultdict(set)
    refused: set[str] = set()
    for row in rows:
        for column, value in row.items():
            match = _AMOUNT.fullmatch(value)
            if match is None:
                refused.add(column)
            else:
                columns[column][match[2]] += 1
                amounts[match[2]].add(match[1])
    units = {next(iter(found)) for column, found in columns.items() if column not in refused and len(found) == 1}
    return {unit: amounts[unit] for unit in units}


def records_of(turn_index: int, conversation: Conversation) -> list[dict[str, str]]:
    """List the records that the tool calls of one turn returned."""
    found: list[dict[str, str]] = []
    for call in conversation.turns[turn_index].tool_calls:
        if call.result is not None and not call.result.failed:
            _collect(call.result.value, found, 0)
    return found


def _collect(value: Any, into: list[dict[str, str]], depth: int) -> None:
    if depth > MAX_DEPTH or len(into) >= MAX_RECORDS:
        return
    if isinstance(value, dict):
        items = list(cast("dict[str, Any]", value).values())
    elif isinstance(value, list):
        items = cast("list[Any]", value)[:MAX_RECORDS]
        objects = [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
        if len(objects) >= 2:
            into.extend(map(_texts_of, objects))
            return
    else:
        return
    for item in items:
        if isinstance(item, _NESTED):
            _collect(item, into, depth + 1)


def _texts_of(item: dict[str, Any]) -> dict[str, str]:
    return {
        name: value.lower()
        for name, value in item.items()
        if isinstance(value, str) and 2 <= len(value) <= MAX_VALUE_CHARACTERS
    }
