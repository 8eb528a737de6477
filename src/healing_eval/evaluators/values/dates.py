"""Which dates and times of day does a text hold?

Written by hand because general date parsers take a millisecond a text and guess: here an ambiguous text gives every
reading, and nothing is completed that was not said. All patterns are linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

# fmt: off
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
    "twentieth",
)
# fmt: on
_MONTH_STEMS = tuple(name[:3] for name in MONTHS)
_MONTH_NUMBER = {stem: number for number, stem in enumerate(_MONTH_STEMS, start=1)}
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

ORDINAL_DAYS: dict[str, int] = {
    **{word: number for number, word in enumerate(_ORDINALS, start=1)},
    **{f"twenty {word}": number for number, word in enumerate(_ORDINALS[:9], start=21)},
    "thirtieth": 30,
    "thirty first": 31,
}

MINUTES_IN_HALF_DAY = 12 * 60


class FoundDate(msgspec.Struct, frozen=True, gc=False):
    """One reading of a date in a text; an ambiguous one such as 03/04/2025 gives two with the same place."""

    year: int | None
    """None when the text names no year."""
    month: int
    day: int
    start: int
    end: int
    """Place in the text, as a half-open range."""


class FoundTime(msgspec.Struct, frozen=True, gc=False):
    """One reading of a time of day; "5:30" without am or pm gives two with the same place."""

    minutes: int
    """Since midnight, in [0, 1440)."""
    start: int
    end: int


# Patterns begin with a set of characters, which the engine skips to; what stands before is looked at afterwards.
_NUMERIC = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{4}|\d{1,2})(?!\d)", re.ASCII)
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_ORDINAL_WORD = "|".join(sorted((word.replace(" ", "[ -]") for word in ORDINAL_DAYS), key=len, reverse=True))
_DAY = rf"(\d{{1,2}}(?!\d)(?:st|nd|rd|th)?\b|(?:{_ORDINAL_WORD})\b)"
_YEAR = r"(?:,?[ ]{1,2}((?:19|20)\d\d)(?!\d))?"
_MONTH_FIRST = re.compile(rf"{_MONTH}[ ]{{1,2}}(?:the[ ])?{_DAY}(?!:\d){_YEAR}", re.ASCII)
_DAY_FIRST = re.compile(rf"{_DAY}(?:[ ]of)?[ -]{_MONTH}(?:-((?:19|20)\d\d)(?!\d)|{_YEAR})", re.ASCII)


def find_dates(text: str) -> list[FoundDate]:
    """Find the dates that name at least a month and a day, in the order of the patterns tried, not of the text.

    Known: 2025-03-07, 2025/3/7, 07/03/2025 (both readings), 7.3.2025, March 7(th)(, 2025), 7(th) (of) March (2025),
    7-Mar-2025 and days as words ("March seventh"). A weekday, "tomorrow" or a day without its month is no date.
    """
    found = list(_numeric_dates(text)) if "-" in text or "/" in text or "." in text else []
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter such as İ grows in lower case, and would move every place after it
        lowered = text
    if any(stem in lowered for stem in _MONTH_STEMS):
        found.extend(_named_dates(lowered))
    return found


def _numeric_dates(text: str) -> Iterator[FoundDate]:
    for match in _NUMERIC.finditer(text):
        span = match.span()
        first, mark, middle, last = match.groups()
        if span[0] and text[span[0] - 1].isdigit():
            continue
        if len(first) == 4:
            if len(last) <= 2:
                yield from _if_valid(int(first), int(middle), int(last), span)
        elif len(first) <= 2 and (len(last) == 4 or (mark == "/" and len(last) == 2)):
            year = int(last) if len(last) == 4 else _full_year(int(last))
            yield from _if_valid(year, int(first), int(middle), span)
            if int(first) != int(middle):
                yield from _if_valid(year, int(middle), int(first), span)


def _full_year(two_digits: int) -> int:
    """Complete a year as POSIX does: 69 and later lie in the last century."""
    return two_digits + (2000 if two_digits < 69 else 1900)


def _named_dates(lowered: str) -> Iterator[FoundDate]:
    for match in _MONTH_FIRST.finditer(lowered):
        if _begins_a_word(lowered, match.start()):
            yield from _named(match[1], match[2], match[3], match.span())
    for match in _DAY_FIRST.finditer(lowered):
        if _begins_a_word(lowered, match.start()):
            yield from _named(match[2], match[1], match[3] or match[4], match.span())


def _begins_a_word(text: str, start: int) -> bool:
    return not start or not (text[start - 1].isalnum() or text[start - 1] in ":.,_")


def _named(month: str, day: str, year: str | None, span: tuple[int, int]) -> Iterator[FoundDate]:
    number = int(day.rstrip("stndrh")) if day[0].isdigit() else ORDINAL_DAYS[day.replace("-", " ")]
    yield from _if_valid(int(year) if year else None, _MONTH_NUMBER[month[:3]], number, span)


def _if_valid(year: int | None, month: int, day: int, span: tuple[int, int]) -> Iterator[FoundDate]:
    if 1 <= month <= 12 and 1 <= day <= _DAYS_IN_MONTH[month - 1]:
        yield FoundDate(year, month, day, *span)


_HOUR_WORDS = {
    word: number
    for number, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=1
    )
}
_HOUR = r"(\d{1,2}|" + "|".join(_HOUR_WORDS) + ")"
_HALF_OF_DAY = (
    r"(?:[ ]?(a\.?m\b|p\.?m\b)|[ ](?:in[ ]the|at)[ ](morning|afternoon|evening|night)|[ ](morning|afternoon|evening))"
)
_CLOCK = re.compile(
    rf"(?<![\d:.,/-])(\d{{1,2}})[:.](\d\d)(?::\d\d(?:\.\d{{1,9}})?)?(?![\d:])(?!\.\d){_HALF_OF_DAY}?",
    re.IGNORECASE | re.ASCII,
)
_BARE_HOUR = re.compile(
    rf"(?<![\w:.,/$-]){_HOUR}(?:[ ]?o[ ]?['’`\"]?clock{_HALF_OF_DAY}?|{_HALF_OF_DAY})", re.IGNORECASE | re.ASCII
)
_SPOKEN = re.compile(
    rf"\b(half|quarter|\d{{1,2}}|ten|twenty|five)[ ](?:minutes?[ ])?(past|to|after|before)[ ]{_HOUR}\b{_HALF_OF_DAY}?",
    re.IGNORECASE | re.ASCII,
)
_SPOKEN_MINUTES = {"half": 30, "quarter": 15, "five": 5, "ten": 10, "twenty": 20}
_NAMED_TIMES = {"noon": 720, "midday": 720, "midnight": 0}
_NAMED_TIME = re.compile(r"\b(noon|midday|midnight)\b", re.IGNORECASE)
_HALVES = {"a": 0, "m": 0, "p": 1, "e": 1, "n": 1}


def find_times(text: str) -> list[FoundTime]:
    """Find times of day: 17:30, 5:30 pm, 5 pm, 6 o'clock in the evening, half past 4, noon. Not in text order.

    A time of at most 12:59 that says neither am nor pm, and has no leading zero, gives both readings.
    """
    found: list[FoundTime] = []
    if ":" in text or "." in text:
        for match in _CLOCK.finditer(text):
            half = match[3] or match[4] or match[5]
            dotted = text[match.start() + len(match[1])] == "."
            if half or not dotted:
                stamp = text[match.start() - 1 : match.start()] == "T"  # 2025-03-07T10:20 has 24 hours
                hour = match[1].zfill(3) if stamp else match[1]
                found.extend(_readings(hour, int(match[2]), half, match.span()))
    lowered = text.lower()
    if any(mark in lowered for mark in ("am", "a.m", "pm", "p.m", "clock", "morning", "afternoon", "evening", "night")):
        for match in _BARE_HOUR.finditer(text):
            half = next((part for part in match.groups()[1:] if part), None)
            found.extend(_readings(match[1], 0, half, match.span()))
    if any(mark in lowered for mark in (" past ", " to ", " after ", " before ")):
        for match in _SPOKEN.finditer(text):
            found.extend(_spoken(match))
    if "noon" in lowered or "mid" in lowered:
        found.extend(FoundTime(_NAMED_TIMES[match[1].lower()], *match.span()) for match in _NAMED_TIME.finditer(text))
    return found


def _spoken(match: re.Match[str]) -> Iterator[FoundTime]:
    amount, direction = match[1].lower(), match[2].lower()
    minutes = int(amount) if amount.isdigit() else _SPOKEN_MINUTES[amount]
    offset = minutes if direction in ("past", "after") else -minutes
    half = match[4] or match[5] or match[6]
    for hour in _readings(match[3], 0, half, match.span()):
        yield FoundTime((hour.minutes + offset) % 1440, hour.start, hour.end)


def _readings(hour_text: str, minute: int, half: str | None, span: tuple[int, int]) -> Iterator[FoundTime]:
    hour = int(hour_text) if hour_text.isdigit() else _HOUR_WORDS[hour_text.lower()]
    if hour > 24 or minute > 59:
        return
    if half and 1 <= hour <= 12:
        yield FoundTime((hour % 12) * 60 + minute + MINUTES_IN_HALF_DAY * _HALVES[_half_letter(half)], *span)
        return
    yield FoundTime((hour % 24) * 60 + minute, *span)
    if half is None and 1 <= hour <= 12 and not hour_text.startswith("0"):
        yield FoundTime((hour * 60 + minute + MINUTES_IN_HALF_DAY) % 1440, *span)


def _half_letter(half: str) -> str:
    """Reduce "a.m.", "morning", "afternoon", "evening", "night" to a letter: a and m before noon, the others after."""
    lowered = half.lower()
    return "p" if lowered == "afternoon" else lowered[0]
