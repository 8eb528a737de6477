"""Which records did the tools return, and which of their values does a text name?

A record is one object of a list in a tool's result; its values are compared word by word, so "jing_jing" and
"Jing Jing" are the same. Single plain words count only in columns where they tell the records apart, as names do.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
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
Cell = tuple[int, str]
"""Number of a record, and column."""


class Mention(msgspec.Struct, frozen=True):
    """A value of some records that a text names."""

    words: Words
    records: frozenset[int]
    columns: frozenset[str]


class Records:
    """All records that tools returned up to some turn. Tools return much that nobody names, so little is done ahead."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self._first = 0
        """Number of the oldest record that is kept; they are numbered as they come."""
        self._cells: dict[Words, list[Cell]] = {}
        """Words of a value to where it stands, oldest first."""
        self._cells_of_value: dict[str, list[Cell]] = {}
        """The same by value, of which several may have the same words."""
        self._lengths: dict[str, list[int]] = {}
        """First word of a value to the lengths such values have, longest first."""
        self._mentions: dict[Words, Mention | None] = {}
        self._naming: dict[str, bool] = {}
        self._amounts: dict[str, set[str]] | None = None

    def add(self, rows: Sequence[dict[str, str]]) -> None:
        """Take further records in; the oldest give way where there are too many."""
        rows = rows[-MAX_RECORDS:]
        for number, row in enumerate(rows, start=self._first + len(self.rows)):
            for column, value in row.items():
                cells = self._cells_of_value.get(value)
                if cells is None:
                    cells = self._cells_of_value[value] = self._cells_of(_words_of(value))
                cells.append((number, column))
        surplus = max(0, len(self.rows) + len(rows) - MAX_RECORDS)
        self._first += surplus
        self.rows = [*self.rows[surplus:], *rows]
        self._mentions, self._naming, self._amounts = {}, {}, None

    def _cells_of(self, words: Words) -> list[Cell]:
        cells = self._cells.get(words)
        if cells is None:
            cells = self._cells[words] = []
            if _tells(words, naming=True):
                lengths = self._lengths.setdefault(words[0], [])
                if len(words) not in lengths:
                    lengths.append(len(words))
                    lengths.sort(reverse=True)
        return cells

    def _mention(self, words: Words) -> Mention | None:
        """Give where a value stands that is specific enough to be a claim; None if it stands nowhere."""
        if words not in self._mentions:
            self._mentions[words] = self._find(words)
        return self._mentions[words]

    def _find(self, words: Words) -> Mention | None:
        cells = self._cells.get(words)
        if cells is None:
            return None
        del cells[: bisect_left(cells, (self._first, ""))]
        found = cells if _tells(words, naming=False) else [cell for cell in cells if self._names(cell[1])]
        if not found:
            return None
        return Mention(words, frozenset(number for number, _ in found), frozenset(column for _, column in found))

    def _names(self, column: str) -> bool:
        """Whether a column tells the records apart."""
        if column not in self._naming:
            values = [row[column] for row in self.rows if column in row]
            self._naming[column] = len(values) >= MIN_RECORDS_OF_NAMES and len(set(values)) == len(values)
        return self._naming[column]

    @property
    def amounts(self) -> dict[str, set[str]]:
        """Unit to the amounts a column has, of columns whose every value is an amount of one unit ("3_miles")."""
        if self._amounts is None:
            self._amounts = _amount_columns(self.rows)
        return self._amounts

    def beginnings_in(self, words: AbstractSet[str]) -> list[str]:
        """Give those of a text's words with which a value may begin; without one the text names none."""
        return [word for word in self._lengths.keys() & words if self._may_begin(word)]

    def _may_begin(self, word: str) -> bool:
        return self._lengths[word][0] > 1 or self._mention((word,)) is not None

    def named_in(self, words: Sequence[str]) -> list[Mention]:
        """Find the values a text names, the longest where several begin at one word; each once."""
        found: dict[Words, Mention] = {}
        index = 0
        while index < len(words):
            step = 1
            for length in self._lengths.get(words[index], ()):
                mention = self._mention(tuple(words[index : index + length]))
                if mention is not None:
                    found[mention.words] = mention
                    step = length
                    break
            index += step
        return list(found.values())

    def unknown_amounts(self, text: str) -> Iterator[str]:
        """Give the amounts a text names in a unit of the records that no record has."""
        for match in _AMOUNT.finditer(text):
            known = self.amounts.get(match[2])
            if known is not None and match[1] not in known:
                yield match[0]


def _words_of(value: str) -> Words:
    """Give the words of a value, none if it has no letter."""
    words = tuple(_WORD.findall(value))
    return words if any(map(str.isalpha, "".join(words))) else ()


def _tells(words: Words, *, naming: bool) -> bool:
    """Whether a value is specific enough that naming it is a claim; `naming` if its column tells records apart."""
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
            value: Any = call.result.value
            if isinstance(value, _NESTED):
                _collect(cast("Any", value), found, 0)
    return found


def _collect(nested: Any, into: list[dict[str, str]], depth: int) -> None:
    """Take the records from an object or a list."""
    if depth > MAX_DEPTH or len(into) >= MAX_RECORDS:
        return
    if isinstance(nested, list):
        items: Iterable[Any] = cast("list[Any]", nested)[:MAX_RECORDS]
        objects: list[Any] = [item for item in items if isinstance(item, dict)]
        if len(objects) >= 2:
            into.extend(map(_texts_of, objects))
            return
    else:
        items = nested.values()
    for item in items:
        if isinstance(item, _NESTED):
            _collect(item, into, depth + 1)


def _texts_of(item: dict[str, Any]) -> dict[str, str]:
    return {
        name: value.lower()
        for name, value in item.items()
        if isinstance(value, str) and 2 <= len(value) <= MAX_VALUE_CHARACTERS
    }
