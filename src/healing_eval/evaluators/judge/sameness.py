"""Is this the same conversation as another one, but for names that do not matter?

Volatile names (UUIDs, order numbers and other references, times that only keep the books, ids of turns) are replaced by
their shape and their number in the order in which they first come. So two conversations have one form if each name of
the one stands exactly where a name of that shape stands in the other, and always the same one: a mix-up of two orders
never looks like their right use. `naming` decides which names are volatile; all else stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import msgspec

from healing_eval.evaluators.judge.naming import locate, volatile_names

_OPEN, _CLOSE = "\x02", "\x03"
"""Around a number: JSON in ASCII holds no such characters, so that no text can write what stands for a name."""

_TURN = re.compile(
    r"""
    \{"turn_id":(?P<turn> -?\d{1,20} | "(?:
        (?: [A-Za-z]{1,2} | turn | msg | message | user | assistant | agent | tool | step | id )? [-_.:\#]? \d{0,20}
      | (?: [a-z]{1,8} [-_] )? (?: [0-9a-f]{12,64} | [0-9a-f]{8} (?: -[0-9a-f]{4} ){3} -[0-9a-f]{12} )
    )" ) (?=,)
    """,
    re.VERBOSE | re.ASCII,
)
"""An id in which nobody can write anything. Other ids are texts of the sender's, which a model reads, and stay."""
_TURN_BEGINS = '{"turn_id":'
_CHECKS_BEGIN = '{"checks":'
"""Lines of ours. Within a turn's line such keys may stand too, in tool calls: those are the sender's."""


class Form(msgspec.Struct, frozen=True):
    """What is left of a text without its volatile names, and these."""

    text: str
    names: tuple[str, ...]
    """In the order in which they first come; the number in the text is a name's place here, from 0."""
    turns: tuple[str, ...]
    """Volatile ids of turns as they are written in answers, in that order as well."""


def form_of(lines: Iterable[str]) -> Form:
    """Take the volatile names out of lines of JSON in ASCII, as `fence` writes them."""
    turns: dict[str, int] = {}

    def number_turn(match: re.Match[str]) -> str:
        place = turns.setdefault(match.group("turn").strip('"'), len(turns))
        return f"{_TURN_BEGINS}{mark_of_turn(place)}"

    def without_turns(line: str) -> str:
        if line.startswith(_TURN_BEGINS):
            found = _TURN.match(line)
            return line if found is None else number_turn(found) + line[found.end() :]
        return _TURN.sub(number_turn, line) if line.startswith(_CHECKS_BEGIN) else line

    left = [without_turns(line) for line in lines]
    # What checks found is told in words of ours; what they quote stands in the turns as well.
    located = [locate(line) for line in left]
    shapes = volatile_names([one for one in located if not one.line.startswith(_CHECKS_BEGIN)])
    names: dict[str, int] = {}

    def number(name: str) -> str:
        return _mark(names.setdefault(name, len(names)), shapes[name]) if name in shapes else name

    return Form("\n".join(one.rewritten(number) for one in located), tuple(names), tuple(turns))


def without_names(form: Form) -> Callable[[str], str]:
    """Give what replaces this form's names in a text by their numbers; other names stay."""
    numbers = {name: place for place, name in enumerate(form.names)}

    def number(name: str) -> str:
        return _mark(numbers[name]) if name in numbers else name

    return lambda text: locate(without_marks(text)).rewritten(number)


def with_names(form: Form) -> Callable[[str], str]:
    """Give what puts this form's names where numbers stand; a number it has no name for stays."""

    def name(match: re.Match[str]) -> str:
        place = int(match.group(1))
        return form.names[place] if place < len(form.names) else match.group()

    return lambda text: _MARK.sub(name, text)


def mark_of_turn(place: int) -> str:
    """Write what stands for the id of a turn."""
    return f"{_OPEN}t{place}{_CLOSE}"


def without_marks(text: str) -> str:
    """Take out the characters of marks, which a model may have written."""
    return text.replace(_OPEN, "").replace(_CLOSE, "")


_MARK = re.compile(f"{_OPEN}(\\d{{1,9}}){_CLOSE}")


def _mark(place: int, shape: str = "") -> str:
    return f"{_OPEN}{place}{':' if shape else ''}{shape}{_CLOSE}"
