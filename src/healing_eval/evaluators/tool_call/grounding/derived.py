"""Does this date or time follow from others that were said?"""

from __future__ import annotations

import re
from datetime import date, timedelta

from healing_eval.evaluators.tool_call.grounding.evidence import Evidence
from healing_eval.evaluators.values.text import find_word, words_of_name

_DAY = 1440
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NEAR = timedelta(days=31)
_FORTNIGHT = timedelta(days=15)
_FEW_DAYS = timedelta(days=3)
_RECURRENCE = timedelta(days=366)
_LAST_DAY = date.max.toordinal()
_WEEKLY = re.compile(r"\b(?:weekly|(?:every|each) (?:week|mon|tues|wednes|thurs|fri|satur|sun))", re.ASCII)
_MONTHLY = re.compile(r"\b(?:monthly|(?:every|each|of the|of) month|of (?:every|each|the) month)\b", re.ASCII)
_FIRST_OF_MONTH = re.compile(r"\b(?:first|1st)(?: day)? of (?:every|each|the|next) month\b", re.ASCII)


def time_follows(minutes: int, name: str, evidence: Evidence, pieces: int) -> bool:
    """Whether a time follows from what was said: "at 4", "half an hour before", "around 6", "in two hours".

    What begins and has no stated end is taken to last an hour. "In two hours" lets any time pass, for who knows now?
    """
    limit = evidence.passages.plain(pieces)[1]
    if evidence.bare_hours.get(minutes, limit + 1) <= limit or evidence.counts_from_now <= limit:
        return True
    spans = [span for span, end in evidence.spans.items() if end <= limit and 0 < span < _DAY]
    if any(_time_said(minutes + way * span, evidence, pieces) for span in spans for way in (1, -1)):
        return True
    return "end" in words_of_name(name) and _time_said(minutes - 60, evidence, pieces)


def _time_said(minutes: int, evidence: Evidence, pieces: int) -> bool:
    return evidence.times.get(minutes % _DAY, pieces) < pieces


def day_follows(day: date | None, evidence: Evidence, pieces: int) -> bool:
    """Whether a day is what "tomorrow", "on Friday", "for three nights" or "every week" can mean.

    "Tomorrow" cannot be resolved without knowing today, so such a word lets any day pass that is near the dates said:
    a false alarm is worse.
    """
    if not evidence.speaks_of_days:
        return False
    text, limit = evidence.passages.plain(pieces)
    relative = evidence.relative_from < limit
    if day is None:
        return relative
    if relative and _is_near_today(day, evidence):
        return True
    if find_word(text, _WEEKDAYS[day.weekday()], limit) and evidence.near(day, _NEAR):
        return True
    return _lies_a_span_away(day, evidence, pieces) or _recurs(day, evidence, pieces)


def _is_near_today(day: date, evidence: Evidence) -> bool:
    """Whether a day agrees with today, if that was said; else with the dates said and what today was taken for."""
    if evidence.today is not None:
        return timedelta(days=-8) <= day - evidence.today <= timedelta(days=15)
    taken = evidence.taken_for_today
    if taken is None:
        if not evidence.near(day, _NEAR):
            return False
        evidence.taken_for_today = day
        return True
    return abs(day - taken) <= (_FORTNIGHT if evidence.speaks_of_weeks else _FEW_DAYS)


def _lies_a_span_away(day: date, evidence: Evidence, pieces: int) -> bool:
    limit = evidence.passages.plain(pieces)[1]
    for span, end in evidence.spans.items():
        if end > limit or span % _DAY:
            continue
        for days in (span // _DAY, -span // _DAY):
            if 0 < day.toordinal() + days <= _LAST_DAY:
                other = date.fromordinal(day.toordinal() + days)
                said = evidence.dates.get((other.month, other.day), ())
                if any(piece < pieces and year in (None, other.year) for year, piece in said):
                    return True
    return False


def _recurs(day: date, evidence: Evidence, pieces: int) -> bool:
    text, limit = evidence.passages.plain(pieces)
    known = [one for one, piece in evidence.full_dates.items() if piece < pieces]
    if _WEEKLY.search(text, 0, limit):
        return any((day - one).days % 7 == 0 and timedelta(0) < day - one <= _RECURRENCE for one in known)
    if day.day == 1 and _FIRST_OF_MONTH.search(text, 0, limit):
        return True
    return bool(_MONTHLY.search(text, 0, limit)) and any(
        day.day == one.day and timedelta(0) < day - one <= _RECURRENCE for one in known
    )
