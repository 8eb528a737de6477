"""What dates, times and numbers had been said before a call? Read from the text when first asked for."""

from __future__ import annotations

import re
import sys
from datetime import date, timedelta
from functools import cached_property
from itertools import islice

import msgspec

from healing_eval.evaluators.tool_call.grounding.weeks import unbound_week
from healing_eval.evaluators.values.dates import MONTHS, find_dates, find_times
from healing_eval.evaluators.values.gate import AnyOf
from healing_eval.evaluators.values.numbers import find_numbers
from healing_eval.evaluators.values.text import Passages

_READ_AT_MOST = 2_000_000
"""Characters in which dates and numbers are looked for; words are looked for in all of them."""

_RELATIVE = (
    "today", "tonight", "tomorrow", "yesterday", "weekend", "this morning", "this afternoon",
    "this evening", "day after", "day before", "days from", "days after", "days before", "days ago",
    "days later", "week from", "weeks from", "week later", "weeks later", "week ago", "weeks ago", "right now",
)  # fmt: skip
"""Words that place a date in relation to today."""
_WEEKS = ("next week", "this week")
"""These as well, unless they only say which Friday is meant."""
_TELLTALES = AnyOf(("day", "week", "night", "tomorrow", "this ", "month", "right now"))
"""One of these stands in every text that speaks of days without naming their month."""

_MONTH_BEGINS = re.compile(r"[a-z]{3,9} {1,2}(?:the )?(?:\d|[a-z]{3,9} ?[a-z]{0,7}(?:st|nd|rd|th)\b)", re.ASCII)
_ORDINAL_ENDS = AnyOf(("1st", "2nd", "3rd", *(f"{digit}th" for digit in range(10))))
_DAY_ENDS = ("st", "nd", "rd", "th", "of")
_STEMS_TRIED = 2000
_DATES_READ = 64
_NEIGHBOURHOOD = 24
"""Characters on each side of a month's name in which its day and year stand."""

_SPAN = re.compile(r"\b(\d{1,3}|[a-z]{1,6}) (?:an )?(minute|min|hour|night|day|week)s?\b", re.ASCII)
_SPANS_READ = 200
_COUNTS = {
    "a": 1, "an": 1, "half": 0.5, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "twelve": 12,
}  # fmt: skip
_MINUTES = {"min": 1, "minute": 1, "hour": 60, "night": 1440, "day": 1440, "week": 10080}
_HALF = r"( ?[ap] ?m\b)?"
_HOURS = re.compile(
    rf"\b(?:at|by|from|between|around|about|until|till|before|after) (\d{{1,2}}){_HALF}"
    rf"(?: (?:to |and |until |till )?(\d{{1,2}}){_HALF})?\b(?! ?\d)",
    re.ASCII,
)
_FROM_NOW = re.compile(
    r"\bin (?:about |another )?(?:\d{1,3}|an?|one|two|three|four|five|six|ten|fifteen|twenty|thirty|half)(?: an)? "
    r"(?:minute|hour)s?\b",
    re.ASCII,
)
_ROUGHLY = re.compile(r"\b(?:around|about) (?:\d|noon|midnight)", re.ASCII)
_TODAY = re.compile(r"(?:today(?:['’]s date)? is|current (?:date|time|day)(?: and time)? is|(?:date|today):).{0,40}")
_NOWHERE = sys.maxsize
"""A place after every text."""


class Placed(msgspec.Struct, frozen=True, gc=False):
    """A date found, and the first place after it."""

    year: int | None
    month: int
    day: int
    end: int


class Evidence:
    """The values in a conversation's passages, each with the first piece that holds it."""

    def __init__(self, passages: Passages) -> None:
        self.passages = passages
        self._text = text = passages.whole[:_READ_AT_MOST]
        self.has_slashes = "/" in text
        """Whether there is any slash, without which no date is written with one."""
        self.has_commas = "," in text
        """Whether there is any comma, without which no number has its digits in groups."""
        self._named: dict[int, list[Placed]] = {}
        self._numeral_years: dict[int, bool] = {}
        self.taken_for_today: date | None = None
        """The first day that "tomorrow" or the like was taken to mean; later ones must agree with it."""

    @cached_property
    def dates(self) -> dict[tuple[int, int], list[tuple[int | None, int]]]:
        """(month, day) to (year or None, piece)."""
        found: dict[tuple[int, int], list[tuple[int | None, int]]] = {}
        for one in find_dates(self._text):
            found.setdefault((one.month, one.day), []).append((one.year, self.passages.piece_at(one.start)))
        return found

    @cached_property
    def full_dates(self) -> dict[date, int]:
        """Real dates said with their year, the first 200, to the first piece."""
        said = ((year, *day, piece) for day, places in self.dates.items() for year, piece in places if year)
        found: dict[date, int] = {}
        for year, month, day, piece in islice(said, 200):
            if (month, day) != (2, 29) and year > 0:
                one = date(year, month, day)
                found[one] = min(piece, found.get(one, piece))
        return found

    def writes_year_otherwise(self, year: int) -> bool:
        """Whether numerals of the year end a date, or stand beside a slash or full stop, as in 07/03/2025."""
        found = self._numeral_years.get(year)
        if found is None:
            text = self._text
            found = f"-{year}" in text or f".{year}" in text or (f"{year}." in text and _dotted(year, text))
            if self.has_slashes and not found:
                found = any(mark in text for mark in (f"/{year}", f"{year}/", f"/{year % 100:02}"))
            self._numeral_years[year] = found
        return found

    def named(self, month: int) -> list[Placed]:
        """Dates with this month's name, read around each mention of it, which is cheaper than to list all dates."""
        found = self._named.get(month)
        if found is None:
            found = self._named[month] = list(dict.fromkeys(self._around_name(MONTHS[month - 1][:3], month)))
        return found

    def _around_name(self, stem: str, month: int) -> list[Placed]:
        text = self.passages.plain_whole
        found: list[Placed] = []
        start, tries, reads = text.find(stem), 0, 0
        while start >= 0 and tries < _STEMS_TRIED and reads < _DATES_READ:
            tries += 1
            if _may_hold_a_day(text, start):
                reads += 1
                first = max(start - _NEIGHBOURHOOD, 0)
                around = text[first : start + _NEIGHBOURHOOD]
                found += [Placed(d.year, month, d.day, first + d.end) for d in find_dates(around) if d.month == month]
            start = text.find(stem, start + 3)
        return found

    @cached_property
    def times(self) -> dict[int, int]:
        """Minutes since midnight to the first piece."""
        found: dict[int, int] = {}
        for time in find_times(self._text):
            piece = self.passages.piece_at(time.start)
            found[time.minutes] = min(piece, found.get(time.minutes, piece))
        return found

    @cached_property
    def bare_hours(self) -> dict[int, int]:
        """Both readings of hours such as in "at 4" or "from 3 to 5", in minutes, to the first place after them."""
        found: dict[int, int] = {}
        for match in islice(_HOURS.finditer(self.passages.plain_whole[:_READ_AT_MOST]), _SPANS_READ):
            for hour, half in (match.group(1, 2), match.group(3, 4)):
                if hour and not half and int(hour) <= 24:  # with am or pm it is one of the times
                    for reading in (int(hour), int(hour) + 12) if int(hour) <= 12 else (int(hour),):
                        found.setdefault(reading % 24 * 60, match.end())
        return found

    @cached_property
    def counts_from_now(self) -> int:
        """The first place after "in two hours" or the like; beyond the last if there is none."""
        match = _FROM_NOW.search(self.passages.plain_whole[:_READ_AT_MOST])
        return match.end() if match else _NOWHERE

    @cached_property
    def numbers(self) -> dict[float, int]:
        """Value to the first piece."""
        found: dict[float, int] = {}
        for number in find_numbers(self._text):
            piece = self.passages.piece_at(number.start)
            value = float(number.value)
            for reading in (value, value / 100) if number.percent else (value,):
                found[reading] = min(piece, found.get(reading, piece))
        return found

    @cached_property
    def speaks_of_days(self) -> bool:
        """Whether any word places a day otherwise than by its month."""
        return _TELLTALES.stands_in(self.passages.plain_whole)

    @cached_property
    def has_ordinals(self) -> bool:
        """Whether any day of a month may stand there as "the 20th"."""
        return _ORDINAL_ENDS.stands_in(self.passages.plain_whole)

    @cached_property
    def names_scales(self) -> bool:
        """Whether a number above a hundred may stand there in words."""
        text = self.passages.plain_whole
        return "hundred" in text or "thousand" in text or "illion" in text

    @cached_property
    def relative_from(self) -> int:
        """The first place that holds "tomorrow" or the like; beyond the last if none does."""
        text = self.passages.plain_whole
        if not self.speaks_of_days:
            return _NOWHERE
        places = [text.find(cue) for cue in _RELATIVE] + [unbound_week(text, cue) for cue in _WEEKS]
        return min((place for place in places if place >= 0), default=_NOWHERE)

    @cached_property
    def speaks_of_weeks(self) -> bool:
        """Whether a relative day may lie more than a few days from today."""
        text = self.passages.plain_whole
        return any(word in text for word in ("week", "days", "month"))

    @cached_property
    def spans(self) -> dict[int, int]:
        """Minutes that were said to lie between two moments ("half an hour", "3 nights") to the first place."""
        text = self.passages.plain_whole[:_READ_AT_MOST]
        found: dict[int, int] = {}
        for match in islice(_SPAN.finditer(text), _SPANS_READ):
            count = int(match[1]) if match[1].isdigit() else _COUNTS.get(match[1])
            if match[1] == "the" and match[2] == "night":
                count = 1
            if count:
                found.setdefault(int(count * _MINUTES[match[2]]), match.end())
        rough = _ROUGHLY.search(text)
        if rough:
            for minutes in (30, 60):
                found.setdefault(minutes, rough.end())
        return found

    @cached_property
    def today(self) -> date | None:
        """The one date that the text says is today's."""
        said = {
            date(one.year, one.month, one.day)
            for match in islice(_TODAY.finditer(self._text.lower()), 8)
            for one in find_dates(match[0])
            if one.year and (one.month, one.day) != (2, 29)
        }
        return said.pop() if len(said) == 1 else None

    def near(self, day: date, margin: timedelta) -> bool:
        """Whether the day is not far from some full date that was said, or none was."""
        return not self.full_dates or any(abs(day - one) <= margin for one in self.full_dates)


def _dotted(year: int, text: str) -> bool:
    """Whether a month follows the year, which ends no sentence then."""
    return f"{year}.0" in text or f"{year}.1" in text


def _may_hold_a_day(text: str, start: int) -> bool:
    """Whether a month's name seems to begin here and a day to stand beside it; "you may track" is passed over."""
    if start and text[start - 1].isalpha():
        return False
    before = text[max(start - 4, 0) : start].rstrip()
    return before[-1:].isdigit() or before.endswith(_DAY_ENDS) or _MONTH_BEGINS.match(text, start) is not None
