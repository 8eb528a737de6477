"""Which numbers does a text hold?

Numbers in digits and in English words, each with its place. All patterns are linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

# fmt: off
_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
    "twentieth",
)
# fmt: on
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_SCALE_LETTERS = {"k": 1_000, "m": 1_000_000, "bn": 1_000_000_000}
_MAX_DIGITS = 24

_VALUE_OF: dict[str, int] = {
    **{word: number for number, word in enumerate(_UNITS)},
    **{word: 10 * number for number, word in enumerate(_TENS, start=2)},
    **{word: number for number, word in enumerate(_ORDINALS, start=1)},
    "dozen": 12,
    "couple": 2,
    **_SCALES,
}


class FoundNumber(msgspec.Struct, frozen=True, gc=False):
    """A number in a text."""

    value: int | float
    """As it is written: "45 %" is 45, "1.5 million" 1500000."""
    start: int
    end: int
    """Place in the text, as a half-open range, without currency and unit."""
    percent: bool = False
    ordinal: bool = False


# Both patterns begin with a set of characters, which the engine skips to; what stands before is looked at afterwards.
_DIGITS = re.compile(
    r"(\d{1,3}(?:,\d{3}){1,7}+(?!\d)|\d++)(\.\d++)?"
    r"(?:(st|nd|rd|th)\b|[ ]?(%|percent\b|per[ ]cent\b)|[ ]?(hundred|thousand|million|billion)\b|(k|m|bn)\b)?",
    re.IGNORECASE | re.ASCII,
)
_WORDS = re.compile("(?:" + "|".join(sorted(_VALUE_OF, key=len, reverse=True)) + r")(?:th)?s?\b", re.ASCII)
_JOINT = re.compile(r"[ -](?:and[ ])?", re.IGNORECASE | re.ASCII)


def find_numbers(text: str) -> list[FoundNumber]:
    """Find numbers: digits first, then those in words; each group in text order.

    Digits with thousands separators, currency signs, per cent, ordinals (3rd) and scales (1.5 million, 20k); words up
    to billions ("two hundred and five", "a dozen", "third"). Digits inside a longer word or code are no number.
    """
    return [*_in_digits(text), *_in_words(text)]


def _in_digits(text: str) -> Iterator[FoundNumber]:
    for match in _DIGITS.finditer(text):
        start = match.start()
        before = text[start - 1] if start else " "
        after = text[match.end() : match.end() + 2]
        if before.isalnum() or before in "._" or (len(after) == 2 and after[0].isalpha() and after[1].isalnum()):
            continue
        whole, fraction, ordinal, percent, scale, letter = match.groups()
        digits = whole.replace(",", "")
        if len(digits) > _MAX_DIGITS:
            continue
        value: int | float = float(digits + fraction) if fraction else int(digits)
        if scale:
            value *= _SCALES[scale.lower()]
        elif letter:
            value *= _SCALE_LETTERS[letter.lower()]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if _is_negative(text, start):
            value = -value
        yield FoundNumber(value, start, match.end(), percent is not None, ordinal is not None)


def _is_negative(text: str, start: int) -> bool:
    """Whether a minus stands before the digits or their currency sign, and is no hyphen after a word or number."""
    sign = start - 2 if start and text[start - 1] in "$€£¥" else start - 1
    return sign >= 0 and text[sign] == "-" and (sign == 0 or not text[sign - 1].isalnum())


def _in_words(text: str) -> Iterator[FoundNumber]:
    """Join neighbouring number words: "two hundred and five" is one number, "two, three" are two."""
    group: list[re.Match[str]] = []
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter such as İ grows in lower case, and would move every place after it
        lowered = text
    for match in _WORDS.finditer(lowered):
        start = match.start()
        if (start and lowered[start - 1].isalnum()) or (not group and _VALUE_OF[_word(match)] >= 100):
            continue
        if group and not _continues(text, group[-1], match):
            yield _joined(group)
            group = []
            if _VALUE_OF[_word(match)] >= 100:
                continue
        group.append(match)
    if group:
        yield _joined(group)


def _word(match: re.Match[str]) -> str:
    word = match[0]
    return word if word in _VALUE_OF else word.rstrip("s") if word.rstrip("s") in _VALUE_OF else word[:-2]


def _continues(text: str, before: re.Match[str], word: re.Match[str]) -> bool:
    if not _JOINT.fullmatch(text, before.end(), word.start()):
        return False
    left, right = _VALUE_OF[_word(before)], _VALUE_OF[_word(word)]
    if _word(word) == "dozen":
        return left < 12
    if right >= 100:
        return left < right or left >= 100
    return left >= 100 or (20 <= left <= 90 and left % 10 == 0 and 0 < right < 10)


def _joined(group: list[re.Match[str]]) -> FoundNumber:
    total = current = 0
    for match in group:
        value = _VALUE_OF[_word(match)]
        if value == 100:
            current = max(current, 1) * 100
        elif value > 100:
            total += max(current, 1) * value
            current = 0
        elif value == 12 and _word(match) == "dozen":
            current = max(current, 1) * 12
        else:
            current += value
    last = _word(group[-1])
    return FoundNumber(total + current, group[0].start(), group[-1].end(), ordinal=last in _ORDINALS)
