"""Does a confirmation name a time, day or number that nobody had mentioned, against the one that was agreed?

The rule is narrow on purpose: one value of a kind was said before (by the user, else by the agent), the agent confirms
with one value of that kind, and this value stands nowhere in what came before, tool calls included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from healing_eval.domain.conversation import Turn
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.coherence.context import MAX_CHARACTERS, Context, Said
from healing_eval.evaluators.values.dates import find_dates, find_times
from healing_eval.evaluators.values.text import holds_any

Value = frozenset[object]
"""All readings of one value in a text; two values agree if they share a reading."""

# fmt: off
_CONFIRMS = frozenset({
    "schedule", "schedules", "scheduled", "scheduling", "reschedule", "rescheduled", "rescheduling", "set", "setting",
    "remind", "reminds", "reminder", "reminders", "reminding", "book", "books", "booked", "booking", "bookings",
    "rebook", "rebooked", "rebooking", "reserve", "reserved", "reserving", "reservation", "reservations", "confirmed",
    "confirming", "record", "records", "recorded", "recording", "arranged", "rearranged", "placed", "added",
})
_HEDGES = frozenset({
    "sorry", "unfortunately", "not", "no", "instead", "but", "unavailable", "available", "alternative", "only",
    "however", "don't", "can't", "cannot", "couldn't", "before", "prior", "earlier", "after", "until", "till",
    "between", "from", "or", "if", "arrive", "arrives", "arriving", "ends", "ending", "return", "returning",
    "already", "was", "previously", "closest", "either", "both", "changed",
})
_WEEKDAYS = frozenset({"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"})
_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
# fmt: on
_ASKS_TO_CONFIRM = (
    "please",
    "kindly",
    "verify",
    "to confirm",
    "just confirm",
    "need you to",
    "let me know",
    "you want",
    "you would like",
    "you'd like",
)
MAX_TRIES = 3
"""How often the tool calls are searched for a value of one kind, so that time stays linear."""
_QUESTION_STARTS = (
    "would",
    "do",
    "does",
    "should",
    "shall",
    "what",
    "which",
    "when",
    "could",
    "can",
    "is",
    "are",
    "how",
)
_HEAD_NOUNS = ("people", "person", "guest", "adult", "ticket", "passenger", "night", "room")
_ORDINAL = re.compile(r"\b([0-3]?\d)(?:st|nd|rd|th)\b", re.ASCII)
_ORDINAL_END = re.compile(r"\d(?:st|nd|rd|th)", re.ASCII)
_HEADS = re.compile(
    rf"\b(\d{{1,2}}|{'|'.join(_NUMBER_WORDS)})[ ]"
    r"(people|persons?|guests?|adults?|tickets?|passengers?|nights?|rooms?)\b",
    re.ASCII,
)


def _times(text: str) -> list[Value]:
    spans: dict[tuple[int, int], set[object]] = {}
    for found in find_times(text):
        spans.setdefault((found.start, found.end), set()).add(found.minutes)
    return [frozenset(readings) for readings in spans.values()]


def _weekdays(text: str) -> list[Value]:
    if "day" not in text:
        return []
    return [frozenset({day}) for day in _WEEKDAYS if day in text]


def _days(text: str) -> list[Value]:
    found: list[Value] = []
    if _ORDINAL_END.search(text):  # finds its first character fast, unlike the exact pattern
        found.extend(frozenset({int(match[1])}) for match in _ORDINAL.finditer(text))
    spans: dict[int, set[object]] = {}
    for date in find_dates(text):
        spans.setdefault(date.start, set()).add(date.day)
    return [*found, *(frozenset(days) for days in spans.values())]


def _heads(text: str) -> list[Value]:
    if not holds_any(text, _HEAD_NOUNS):
        return []
    return [
        frozenset({(int(match[1]) if match[1].isdigit() else _NUMBER_WORDS.index(match[1]), match[2].rstrip("s"))})
        for match in _HEADS.finditer(text)
    ]


class Kind(msgspec.Struct, frozen=True):
    """What sort of value is compared."""

    name: str
    find: Callable[[str], list[Value]]


KINDS = (Kind("time", _times), Kind("weekday", _weekdays), Kind("day", _days), Kind("number", _heads))


class _Agreed:
    """What was said of one kind up to some turn."""

    def __init__(self, kind: Kind, context: Context) -> None:
        self.kind = kind
        self.by_user: set[Value] = set()
        self.by_agent: set[Value] = set()
        self._context = context
        self._readings: set[object] = set()
        self._taken_in = 0
        self._tries = MAX_TRIES

    def contradicted_by(self, place: int) -> bool:
        """Whether a confirmation names one value, and it is neither the agreed one nor to be found before.

        What was said before is only read once a confirmation names a value; `place` is one among the turns with text
        and may not fall.
        """
        if not self._tries:
            return False
        said = self._context.said[place]
        named = set(self.kind.find(_plain(said)))
        if len(named) != 1:
            return False
        self._take_in_until(place)
        value = named.pop()
        if len(self.by_user or self.by_agent) != 1 or not value.isdisjoint(self._readings):
            return False
        self._tries -= 1
        return not _from_tools(value, self.kind, self._context.conversation.turns[: said.index + 1])

    def _take_in_until(self, place: int) -> None:
        for said in self._context.said[self._taken_in : place]:
            found = self.kind.find(_plain(said))
            (self.by_user if said.turn.role == "user" else self.by_agent).update(found)
            self._readings.update(*found)
        self._taken_in = place


def check(context: Context) -> Iterator[Issue]:
    """Look at each confirmation of the agent, and at what was named before it."""
    confirmations = [
        place for place, said in enumerate(context.said) if said.turn.role == "assistant" and _confirms(said)
    ]
    if not confirmations:
        return
    kinds = [_Agreed(kind, context) for kind in KINDS]
    for place in confirmations:
        for agreed in kinds:
            if agreed.contradicted_by(place):
                yield _issue(context.said[place], agreed)


def _confirms(said: Said) -> bool:
    if _CONFIRMS.isdisjoint(said.word_set) or not _HEDGES.isdisjoint(said.word_set) or "?" in said.lowered:
        return False
    return said.words[0] not in _QUESTION_STARTS and not holds_any(said.lowered, _ASKS_TO_CONFIRM)


def _issue(said: Said, agreed: _Agreed) -> Issue:
    kind, by_user = agreed.kind.name, bool(agreed.by_user)
    return issue(
        "user_contradiction" if by_user else "self_contradiction",
        f"The agent confirms another {kind} than the one that {'the user asked for' if by_user else 'it had named'}.",
        turn_id=said.turn.turn_id,
        evidence=said.text,
        detail=kind,
    )


def _plain(said: Said) -> str:
    return said.lowered.replace("_", " ")


def _from_tools(value: Value, kind: Kind, turns: Sequence[Turn]) -> bool:
    """Whether a call's parameters or result hold the value."""
    for turn in turns:
        if turn.role not in ("user", "assistant") and any(
            not value.isdisjoint(found) for found in kind.find(turn.content[:MAX_CHARACTERS].lower())
        ):
            return True
        for call in turn.tool_calls:
            parts = (call.parameters, call.result.value if call.result else None)
            text = repr(parts)[: 10 * MAX_CHARACTERS].lower().replace("_", " ")
            if any(not value.isdisjoint(found) for found in kind.find(text)):
                return True
    return False
