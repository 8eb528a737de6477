"""Which names in a conversation could be others, and it would be judged the same?

An attacker writes conversations as well, and one that looks like another gets the other's judgement. So a name counts
only if nothing else in the conversation could speak of it: it is written in one way throughout, no part of it stands
anywhere else, and neither words nor values fit into it. What does not stays as it is, which costs a call at most.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

MOST_NAMES = 64
"""A conversation with more is compared letter by letter, since every name is held against every other."""
LINES_KEPT = 4096
"""Lines of which it is remembered what was found in them: several judges look at the same ones."""
SHORTEST_PART = 3
"""Digits of a name that stand elsewhere and speak of it; at its beginning or end two are enough."""

_WORTH = (
    "AED|AUD|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KES|KRW|KZT|MAD|MXN|MYR|NGN|NOK"
    "|NZD|PEN|PHP|PKR|PLN|QAR|RMB|RON|RS|RSD|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|US|USD|UYU|VND|ZAR|BTC|ETH|KR|FT|ZL"
    "|ISO|IEC|IEEE|EN|DIN|RFC|PTS|XP|KM|KG|MI|LB|KB|MB|GB|FY|CY|AD|BC|MAX|MIN|TOP"
)
"""Letters that make a number an amount, a measure, a year, a bound or a standard: then its value decides."""

NAME = re.compile(
    rf"""
    (?= [\\0-9A-Za-f] ) (?:                                          # all that any of it begins with
      (?P<kept> \\u[0-9a-f]{{4}} | \\. )                              # what an escape is made of is no text
    | (?: (?<!\w) | (?<=\\[nrt]) ) (?:
        (?P<stamp> \d{{4}}-\d\d-\d\d [T\ ] \d\d:\d\d (?: :\d\d (?: \.\d{{1,9}} )? )? (?: Z | [+-]\d\d:?\d\d )? )
      | (?P<uuid> [0-9a-fA-F]{{8}} (?: -[0-9a-fA-F]{{4}} ){{3}} -[0-9a-fA-F]{{12}} )
      | (?P<hash> (?= \d* [a-fA-F] ) (?= [a-fA-F]* \d ) (?! \d+ [eE] \d+ (?!\w) ) [0-9a-fA-F]{{12,64}} )
      | (?P<reference> (?! (?: {_WORTH} ) [-_\#\d] )
                       [A-Z]{{1,10}} [-_\#]? \d{{5,12}} (?: [A-Z]{{1,2}} \d{{1,6}} ){{0,2}} [A-Z]{{0,2}} )
      | (?P<digits> \d{{5,20}} (?! % | [.,]\d ) )
    ) (?!\w) )
    """,
    re.VERBOSE | re.ASCII,
)
"""Whatever looks like a name. Some of these are amounts or facts; `volatile_names` knows which."""

_ANCHOR = re.compile(r"\d{4}-\d\d-\d\d[T ]|\d{5}|[0-9a-fA-F]{8}", re.ASCII)
"""What stands in every name, at its beginning but for letters before the digits of a reference."""
_BEFORE_ANCHOR = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_#")
_LONGEST_BEFORE_ANCHOR = 11
_BEFORE_DIGITS = re.compile(
    r"""
      (?: (?: (?<![A-Za-z]) | (?<=\\[nrt]) ) (?: ids? | ref(?:erence)? ) | _id | (?-i: [a-z]Id ) | \#
        | (?: order|booking|reservation|ticket|invoice|confirmation|case|tracking|account|customer )
          [\ _]? (?: number|no\.?|nr\.?|code )
      ) \W{0,6} \Z
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
"""What says that bare digits are a name. Everywhere else they are an amount, and decide by their value."""
_BEFORE_STAMP = re.compile(
    r"""
      (?<![A-Za-z]) (?: (?: created|updated|modified|sent|received|logged|generated|recorded ) (?: _at|At|_on|On )?
        | timestamp | ts | (?: server|request )_time ) \\?":\ ?\\?" \Z
    | (?<!\\) "\[ \Z
    """,
    re.VERBOSE | re.ASCII,
)
"""What says that a time only keeps the books: such a key, or that it stands in brackets at the beginning of a text."""
_LONGEST_BEFORE = 32

_ESCAPE = re.compile(r"\\.|\x02[^\x03]*\x03", re.DOTALL)
"""And what already stands for an id of a turn."""
_UNICODE = re.compile(r"\\(?:u([0-9a-f]{4})|.)")
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
_RUN = re.compile(r"[0-9a-z]+")
_DIGITS = re.compile(r"\d+", re.ASCII)
_NO_PART = re.compile(
    r"\d(?<![\w.,/-]\d)(?:\d{3}-\d\d-\d\d|\d?/\d{1,2}/\d{4}|\d{0,2}(?:,\d{3})*\.\d{1,2})(?![\w/-]|[.,]\d)", re.ASCII
)
"""Dates and amounts with decimals: whoever speaks of a part of a name does not write it so."""
_SPELT = re.compile(r"\d(?<!\w\d)(?:[ .-]\d(?!\w)){2,}", re.ASCII)
_CALENDAR = re.compile(
    r"\d:\d\d|\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:tember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|(?:week|month|year)(?:days?|ends?|s)?"
    r"|yesterday|today|tomorrow|tonight|noon|midnight|now|ago|hours?|minutes?|late|early|since|until|expired?)\b"
)
"""Talk of time, after which any time may matter."""


class Located(NamedTuple):
    """A line, and whatever in it looks like a name."""

    line: str
    found: tuple[re.Match[str], ...]
    """Matches of `NAME` other than `kept`, in order."""

    def rewritten(self, new: Callable[[str], str]) -> str:
        """Write something else for each of them."""
        if not self.found:
            return self.line
        parts, end = list[str](), 0
        for match in self.found:
            parts += (self.line[end : match.start()], new(match.group()))
            end = match.end()
        return "".join((*parts, self.line[end:]))


@lru_cache(maxsize=LINES_KEPT)
def locate(line: str) -> Located:
    """Find what `NAME` finds in a line, but only look where it may begin: that takes a fifth of the time."""
    found: list[re.Match[str]] = []
    end = 0
    for anchor in _ANCHOR.finditer(line):
        start = anchor.start()
        if start < end:
            continue  # within the last one
        first = start
        while first > max(end, start - _LONGEST_BEFORE_ANCHOR) and line[first - 1] in _BEFORE_ANCHOR:
            first -= 1
        places = (NAME.match(line, place) for place in range(first, start + 1) if not _is_escaped(line, place))
        match = next((one for one in places if one is not None and one.lastgroup != "kept"), None)
        if match is not None:
            found.append(match)
            end = match.end()
    return Located(line, tuple(found))


def _is_escaped(line: str, place: int) -> bool:
    """Whether what stands there is the letter of an escape, as in a form feed's, which no name begins with."""
    start = place
    while start and line[start - 1] == "\\":
        start -= 1
    return (place - start) % 2 == 1


def volatile_names(lines: Sequence[Located]) -> dict[str, str]:
    """Find the names in lines of JSON in ASCII that could as well be others.

    Returns:
        Name to its shape: what another name in its place must have in common with it, such as letters and length.
    """
    kinds = _looking_like_names(match for line in lines for match in line.found)
    if not kinds or len(kinds) > MOST_NAMES:
        return {}
    rest = "\n".join(line.rewritten(lambda name: " " if name in kinds else name) for line in lines)
    return _unrelated(kinds, _Rest(_as_read(rest)))


def core_of(name: str) -> str:
    """Give what people say of a name if they leave out its dressing: the longest digits of it, or the first letters."""
    lowered = name.lower()
    if _is_hexadecimal(lowered):
        return lowered[:8]
    return max(_DIGITS.findall(lowered), key=len)


def _as_read(text: str) -> str:
    """Write JSON as a reader takes it: in small letters, with any script's digits as ours, and without line breaks."""
    if "\\u" in text:
        pairs = _UNICODE.sub(lambda match: chr(int(match[1], 16)) if match[1] else match.group(), text)
        whole = pairs.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        text = _FOREIGN_DIGIT.sub(lambda digit: str(int(digit.group())), unicodedata.normalize("NFKC", whole))
    return _ESCAPE.sub(" ", text).lower()


def _looking_like_names(found: Iterable[re.Match[str]]) -> dict[str, str]:
    """Give the names that stand as one wherever they stand, each with its kind."""
    kinds: dict[str, str] = {}
    values: set[str] = set()
    for match in found:
        kind, name = match.lastgroup or "", match.group()
        before = _BEFORE.get(kind)
        start = match.start()
        if before is None or before.search(match.string, max(0, start - _LONGEST_BEFORE), start) is not None:
            kinds[name] = kind
        else:
            values.add(name)
    return {name: kind for name, kind in kinds.items() if name not in values}


class _Rest:
    """A conversation without its names, and what of it could speak of one."""

    def __init__(self, text: str) -> None:
        spelt = ["".join(_DIGITS.findall(found)) for found in _SPELT.findall(text)]
        self.text = " ".join((text, *spelt)) if spelt else text
        self.digits = {*_DIGITS.findall(_NO_PART.sub(" ", text)), *spelt}

    @cached_property
    def pairs(self) -> set[str]:
        """Two digits that stand alone."""
        return {run for run in self.digits if len(run) == SHORTEST_PART - 1}

    @cached_property
    def longer(self) -> tuple[str, ...]:
        """More of them."""
        return tuple(run for run in self.digits if len(run) >= SHORTEST_PART)

    @cached_property
    def runs(self) -> set[str]:
        """Letters and digits that may be a part of an id."""
        return {run for run in _RUN.findall(self.text) if len(run) > SHORTEST_PART}

    @cached_property
    def speaks_of_time(self) -> bool:
        """Whether anybody talks of time."""
        return _CALENDAR.search(self.text) is not None


def _unrelated(kinds: Mapping[str, str], rest: _Rest) -> dict[str, str]:
    all_names = "\n".join(kinds).lower()

    def is_in_another(name: str) -> bool:
        core = core_of(name)
        return all_names.count(core) > name.lower().count(core)

    return {
        name: _SHAPES[kind](name)
        for name, kind in kinds.items()
        if not is_in_another(name) and not _SPOKEN_OF[kind](name, rest)
    }


def _is_number_spoken_of(name: str, rest: _Rest) -> bool:
    core = core_of(name)
    if core in rest.text:
        return True
    return not rest.pairs.isdisjoint((core[:2], core[-2:])) or any(run in name for run in rest.longer)


def _is_hash_spoken_of(name: str, rest: _Rest) -> bool:
    lowered = name.lower()
    return lowered[:8] in rest.text or any(run in lowered for run in rest.runs)


def _is_time_spoken_of(name: str, rest: _Rest) -> bool:
    year, day, hour = int(name[:4]), int(name[8:10]), int(name[11:13])
    return rest.speaks_of_time or any(
        int(run) in {year, day, hour, hour % 12 or 12} for run in rest.digits if len(run) <= len("2025")
    )


def _is_hexadecimal(lowered: str) -> bool:
    return _HEXADECIMAL.fullmatch(lowered) is not None and not lowered.isdigit()


_HEXADECIMAL = re.compile(r"[0-9a-f]{12,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BEFORE = {"digits": _BEFORE_DIGITS, "stamp": _BEFORE_STAMP}
_SPOKEN_OF: dict[str, Callable[[str, _Rest], bool]] = {
    "reference": _is_number_spoken_of,
    "digits": _is_number_spoken_of,
    "uuid": _is_hash_spoken_of,
    "hash": _is_hash_spoken_of,
    "stamp": _is_time_spoken_of,
}
_SHAPES: dict[str, Callable[[str], str]] = {
    "reference": lambda name: _DIGITS.sub(lambda digits: "0" * len(digits.group()), name),
    "digits": lambda name: "0" * len(name),
    "uuid": lambda name: "u",
    "hash": lambda name: f"h{len(name)}",
    "stamp": lambda name: _DIGITS.sub(lambda digits: "0" * len(digits.group()), name),
}
