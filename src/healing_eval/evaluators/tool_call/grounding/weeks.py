"""Does "this week" stand for any of its days, or only for the weekday beside it?"""

from __future__ import annotations

import re

_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_BEFORE = re.compile(rf"\b{_WEEKDAY},? (?:of |in |the )?$", re.ASCII)
_AFTER = re.compile(rf",? (?:on )?(?:the )?{_WEEKDAY}\b", re.ASCII)
_LONGEST_BEFORE = 18
_OCCURRENCES = 64


def unbound_week(text: str, cue: str) -> int:
    """Find the first "this week" or "next week" with no weekday beside it; -1 if there is none."""
    start = text.find(cue)
    for _ in range(_OCCURRENCES):
        if start < 0 or not _names_its_day(text, start, start + len(cue)):
            break
        start = text.find(cue, start + len(cue))
    return start


def _names_its_day(text: str, start: int, end: int) -> bool:
    before = text[max(start - _LONGEST_BEFORE, 0) : start]
    return _BEFORE.search(before) is not None or _AFTER.match(text, end) is not None
