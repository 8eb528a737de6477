"""Was this date or time of day said before?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

import msgspec

from healing_eval.evaluators.tool_call.grounding.derived import day_follows, time_follows
from healing_eval.evaluators.tool_call.grounding.evidence import Evidence
from healing_eval.evaluators.values.dates import FoundDate, find_dates, find_times
from healing_eval.evaluators.values.text import find_word

_ONE_MOMENT = re.compile(
    r"(?P<date>\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}/\d{1,2}/\d{2})?"
    r"(?:^|$|[T ]{1,2})(?P<time>\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?(?: ?[ap]\.?m\.?)?)?(?:Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE | re.ASCII,
)
_MONTH_DAY = re.compile(r"(\d{1,2})[-/](\d{1,2})", re.ASCII)
_EDGE_OF_A_DAY = re.compile(r".*[T ](?:00:00(?::00(?:\.0+)?)?|23:59(?::59(?:\.9+)?)?)(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
"""Such times stand for a whole day in a range."""

_OCCURRENCES = 64
_JOINTS = frozenset("-/.:,$#_")
"""Marks that join digits to a longer date, number or code."""
_BESIDE = 14
"""Characters beside an ordinal in which its month's name would stand."""


def _ordinal(day: int) -> str:
    suffix = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{suffix}"


_ORDINALS = tuple(map(_ordinal, range(32)))
"""Day of the month to its ordinal."""


class Moment(msgspec.Struct, frozen=True):
    """A value that is nothing but a date, a time of day, or both."""

    dates: tuple[FoundDate, ...]
    """Its readings; empty for a bare time."""
    minutes: tuple[int, ...]
    """Readings of its time since midnight; empty when it has none, or one that only bounds a range of days."""


@lru_cache(maxsize=4096)
def read_moment(value: str) -> Moment | None:
    """Read a value of at most 40 characters; None if it is no date or time of day."""
    if not 3 <= len(value) <= 40 or not value[0].isdigit():
        return None
    short = _MONTH_DAY.fullmatch(value)
    if short:
        readings = {(int(short[1]), int(short[2])), (int(short[2]), int(short[1]))}
        valid = [FoundDate(None, m, d, 0, len(value)) for m, d in sorted(readings) if 1 <= m <= 12 and 1 <= d <= 31]
        return Moment(tuple(valid), ()) if valid else None
    match = _ONE_MOMENT.fullmatch(value)
    if not match:
        return None
    dates = tuple(find_dates(value)) if match["date"] else ()
    minutes = tuple({time.minutes for time in find_times(value)}) if ":" in value else ()
    if (match["date"] and not dates) or (match["time"] and not minutes):  # 2025-13-40, 99:99
        return None
    return Moment(dates, () if dates and _EDGE_OF_A_DAY.fullmatch(value) else minutes)


def moment_said(moment: Moment, name: str, evidence: Evidence, pieces: int) -> bool:
    """Whether each part of the moment was said, or follows from what was; a date may lack its year."""
    if moment.dates and not _any_date_said(moment.dates, evidence, pieces):
        return False
    return not moment.minutes or any(
        evidence.times.get(minutes, pieces) < pieces or time_follows(minutes, name, evidence, pieces)
        for minutes in moment.minutes
    )


def _any_date_said(days: Iterable[FoundDate], evidence: Evidence, pieces: int) -> bool:
    for day in days:
        if (
            _numerals_said(day, evidence, pieces)
            or _named_said(day, evidence, pieces)
            or (evidence.has_ordinals and _ordinal_said(day, evidence, pieces))
            or (evidence.speaks_of_days and day_follows(_real_date(day), evidence, pieces))
        ):
            return True
    return False


def _numerals_said(day: FoundDate, evidence: Evidence, pieces: int) -> bool:
    """Whether month and day stand there in digits, with the same year or by themselves: 2025-09-17, 9/17, 9-17."""
    text, limit = evidence.passages.raw(pieces)
    month, number, year = day.month, day.day, day.year
    for group in _spellings(month, number, evidence.has_slashes):
        if text.find(group[0], 0, limit) < 0:
            continue
        for spelling in group:
            start = text.find(spelling, 0, limit)
            if start >= 0 and (
                _stands_apart(text, start, spelling, limit) or (year and find_word(text, f"{year}-{spelling}", limit))
            ):
                return True
    if year is None or not evidence.writes_year_otherwise(year):
        return False
    return any(piece < pieces and said == year for said, piece in evidence.dates.get((month, number), ()))


@lru_cache(maxsize=1024)
def _spellings(month: int, day: int, slashes: bool) -> tuple[tuple[str, ...], ...]:
    """Month and day in digits, in groups of which the first is part of the others, so that none stands without it."""
    full, short = f"{month:02}-{day:02}", f"{month}-{day}"
    groups = [(short, full)] if short in full and short != full else [(full,), (short,)]
    if slashes:
        groups += [tuple(one.replace("-", "/") for one in group) for group in groups]
        groups.append((f"{day}/{month}",))
    return tuple(dict.fromkeys(groups))


def _named_said(day: FoundDate, evidence: Evidence, pieces: int) -> bool:
    limit = evidence.passages.plain(pieces)[1]
    for one in evidence.named(day.month):
        if one.day == day.day and one.end <= limit and (one.year is None or day.year is None or one.year == day.year):
            return True
    return False


def _stands_apart(text: str, start: int, digits: str, limit: int) -> bool:
    """Whether the digits, first found at `start`, stand somewhere by themselves, in no longer date, number or name."""
    for _ in range(_OCCURRENCES):
        if start < 0:
            return False
        end = start + len(digits)
        before, after = text[start - 1 : start], text[end : end + 2]
        inside = before.isalnum() or before in _JOINTS
        if not inside and not after[:1].isalnum() and not (after[:1] in _JOINTS and after[1:].isdigit()):
            return True
        start = text.find(digits, end, limit)
    return False


def _ordinal_said(day: FoundDate, evidence: Evidence, pieces: int) -> bool:
    """Whether "the 20th" was said of no other month than this one."""
    text, limit = evidence.passages.plain(pieces)
    ordinal = _ORDINALS[day.day]
    start = text.find(ordinal, 0, limit)
    tries = 0
    while start >= 0 and tries < _OCCURRENCES:
        tries += 1
        end = start + len(ordinal)
        if not text[start - 1 : start].isalnum() and not text[end : end + 1].isalnum():
            around = text[max(start - _BESIDE, 0) : min(end + _BESIDE, limit)]
            if not any(one.day == day.day and one.month != day.month for one in find_dates(around)):
                return True
        start = text.find(ordinal, end, limit)
    return False


def _real_date(day: FoundDate) -> date | None:
    try:
        return date(day.year, day.month, day.day) if day.year is not None else None
    except ValueError:  # 29 February of another year, or the year 0
        return None
