"""Is this the same conversation as another one, but for names that do not matter?

Volatile names (times of day, UUIDs, order numbers and other references, ids of turns) are replaced by their number in
the order in which they first come. So two conversations have one form if each name of the one stands exactly where
the same name of the other does: a mix-up of two orders never looks like their right use. Amounts, dates and short
numbers stay, since they may decide a judgement by their value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

_OPEN, _CLOSE = "\x02", "\x03"
"""Around a number: JSON in ASCII holds no such characters, so that no text can write what stands for a name."""

_NAME = re.compile(
    r"""
      (?P<kept> \\u[0-9a-f]{4} | \\. )                              # what an escape is made of is no text
    | "turn_id":\ (?P<turn> "(?:[^"\\]|\\.)*" | -?\d+ )
    | (?P<name>
          (?<!\w) \d{4}-\d\d-\d\d [T\ ] \d\d:\d\d (?: :\d\d (?: \.\d+ )? )? (?: Z | [+-]\d\d:?\d\d )? (?!\w)
        | (?<!\w) [0-9a-fA-F]{8} (?: -[0-9a-fA-F]{4} ){3} -[0-9a-fA-F]{12} (?!\w)
        | (?<!\w) [0-9a-fA-F]{12,} (?!\w)
        | (?<!\w) (?! (?: USD|EUR|GBP|CHF|JPY|INR|CNY ) ) [A-Za-z]{1,8} [-_#]? \d{3,} [A-Za-z0-9]* (?!\w)
        | (?<! [\w$.,] ) (?<! \w- ) \d{5,} (?! \w | % | [.,]\d )
      )
    """,
    re.VERBOSE,
)


class Form(msgspec.Struct, frozen=True):
    """What is left of a text without its volatile names, and these."""

    text: str
    names: tuple[str, ...]
    """In the order in which they first come; the number in the text is a name's place here, from 0."""
    turns: tuple[str, ...]
    """Ids of turns as they are written in answers, in that order as well."""


def form_of(lines: Iterable[str]) -> Form:
    """Take the volatile names out of lines of JSON in ASCII."""
    names: dict[str, int] = {}
    turns: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        kind = match.lastgroup
        if kind == "kept":
            return match.group()
        if kind == "turn":
            written = match.group("turn")
            place = turns.setdefault(_plain(written), len(turns))
            return f'"turn_id": {_OPEN}t{place}{_CLOSE}'
        return _mark(names.setdefault(match.group(), len(names)))

    text = _NAME.sub(number, "\n".join(lines))
    return Form(text, tuple(names), tuple(turns))


def without_names(form: Form) -> Callable[[str], str]:
    """Give what replaces this form's names in a text by their numbers; other names stay."""
    numbers = {name: place for place, name in enumerate(form.names)}
    return lambda text: _NAME.sub(lambda match: _number_of(match, numbers), text)


def with_names(form: Form) -> Callable[[str], str]:
    """Give what puts this form's names where numbers stand; a number it has no name for stays."""

    def name(match: re.Match[str]) -> str:
        place = int(match.group(1))
        return form.names[place] if place < len(form.names) else match.group()

    return lambda text: _MARK.sub(name, text)


_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


def _number_of(match: re.Match[str], numbers: Mapping[str, int]) -> str:
    place = numbers.get(match.group("name") or "")
    return match.group() if place is None else _mark(place)


def _mark(place: int) -> str:
    return f"{_OPEN}{place}{_CLOSE}"


def _plain(written: str) -> str:
    """Give a turn's id as an answer names it: without quotation marks."""
    return msgspec.json.decode(written, type=str) if written.startswith('"') else written
