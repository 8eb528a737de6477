"""Is a value what its definition asks for in words, where JSON Schema has nothing to say?

Three things are decided without doubt: a required argument that holds nothing, a filler that stands for a value, and a
date in another form than the one the description spells out. A percentage passed as if it were a plain number is only a
warning, since a tool with a poor description may want it so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.tool_call.arguments import pointer
from healing_eval.evaluators.tool_call.context import Context, PlacedCall
from healing_eval.evaluators.tool_call.grounding.leaves import FREE_TEXT, WORDED
from healing_eval.evaluators.values.text import words_of_name

_LONGEST_FILLER = 60
_FILLER = re.compile(
    r"<[\w -]+>|\{\{?[\w .-]+\}?\}|\$\{\w+\}|your_\w+|[a-z_]+_here|placeholder|none|null|undefined|n/a"
    r"|string|number|integer|boolean|object|array",
    re.IGNORECASE,
)
"""A gap in a template, the name of a type, or a word for nothing, as the whole value."""
_MAY_BE_EMPTY = ("empty", "blank", "leave", "optional", "if not", "none", "''", '""', "[]")
_MASK = re.compile(r"\b(YYYY[-/.]MM[-/.]DD|MM[-/.]DD[-/.]YYYY|DD[-/.]MM[-/.]YYYY)\b(?!.?[\dTH])", re.IGNORECASE)
_LETTERS = re.compile("[YMD]+")
_PERCENT = re.compile(r"(?<![\w.,])(\d{1,3}(?:\.\d{1,6})?) ?(?:%|percent\b)")
_OWN_WORDS = FREE_TEXT | WORDED
"""Words of arguments that the agent fills as it likes."""
_MAX_DESCRIPTION = 500
_MAX_ARGUMENTS = 100
_MAX_PERCENTAGES = 200


def check_described(context: Context) -> Iterator[Issue]:
    """Report values that have the right type and are not what the definition asks for."""
    percentages: frozenset[float] | None = None
    for placed in context.calls if context.conversation.tools else ():
        schema = context.schema(placed.call.tool_name)
        if not schema.properties:
            continue
        for name, value in list(placed.call.parameters.items())[:_MAX_ARGUMENTS]:
            raw = schema.properties.get(name)
            if not isinstance(raw, dict):
                continue
            known = cast("dict[str, Any]", raw)
            detail = _fault(name, value, known, required=name in schema.required)
            if detail is None and type(value) in (int, float) and value >= 1 and _wants_fraction(name, known):
                percentages = _percentages(context) if percentages is None else percentages
                detail = "percent" if value in percentages else None
            if detail:
                yield _ill_formed(placed, name, value, detail)


_SAYS = {
    "empty": "holds nothing although the tool requires it",
    "filler": "holds a filler instead of a value",
    "date form": "is not written in the form that its description asks for",
    "percent": "holds the figure of a percentage, which is a hundredth of that",
}


def _ill_formed(placed: PlacedCall, name: str, value: Any, detail: str) -> Issue:
    """Report a value; where the tool took it all the same, it is a lesser fault."""
    result = placed.call.result
    forgiven = result is not None and not result.failed
    return issue(
        "ill_formed_argument",
        f"{placed.call.tool_name[:80]!r}: {name[:80]!r} {_SAYS[detail]}.",
        turn_id=placed.turn.turn_id,
        tool_name=placed.call.tool_name,
        argument=pointer([name]),
        evidence=str(value)[:300],
        detail=detail,
        severity="warning" if forgiven or detail == "percent" else None,
    )


def _fault(name: str, value: Any, known: dict[str, Any], *, required: bool) -> str | None:
    """Name what is wrong with one value as it stands there."""
    if required and (value in ("", [], {}) or (isinstance(value, str) and value.isspace())):
        may = (
            _is_offered(value, known)
            or _mentions(known, _MAY_BE_EMPTY)
            or not _OWN_WORDS.isdisjoint(words_of_name(name))
        )
        return None if may else "empty"
    if not isinstance(value, str) or len(value) > _LONGEST_FILLER:
        return None
    if required and _FILLER.fullmatch(value.strip()):
        return None if _is_offered(value, known) or _mentions(known, (value.strip().lower(),)) else "filler"
    form = _form(_description(known))
    return "date form" if form and "format" not in name.lower() and not form.search(value) else None


def _is_offered(value: Any, known: dict[str, Any]) -> bool:
    """Whether the schema itself names the value."""
    return "enum" in known or "const" in known or ("default" in known and known["default"] == value)


def _description(known: dict[str, Any]) -> str:
    described = known.get("description")
    return described[:_MAX_DESCRIPTION] if isinstance(described, str) else ""


def _mentions(known: dict[str, Any], words: tuple[str, ...]) -> bool:
    described = _description(known).lower()
    return any(word in described for word in words)


@lru_cache(maxsize=1024)
def _form(description: str) -> re.Pattern[str] | None:
    """The one form of a date that a description allows, as a pattern."""
    masks = {found.upper() for found in _MASK.findall(description)}
    if len(masks) != 1 or " or " in description.lower():
        return None
    return re.compile(_LETTERS.sub(lambda letters: f"\\d{{{len(letters[0])}}}", re.escape(masks.pop())))


def _wants_fraction(name: str, known: dict[str, Any]) -> bool:
    """Whether a share of one belongs here: a rate of any number, where nobody speaks of percent."""
    return (
        known.get("type") in _FRACTIONS
        and any(word in name.lower() or word in _description(known).lower() for word in _RATES)
        and "percent" not in name.lower()
        and not _mentions(known, ("percent", "%"))
    )


_FRACTIONS = ("number", "float", "double")
_RATES = ("rate", "yield", "return", "ratio", "share", "probability", "fraction", "growth", "interest", "margin")


def _percentages(context: Context) -> frozenset[float]:
    """The percentages that were said, the first 200."""
    found = _PERCENT.finditer(context.passages.whole)
    return frozenset(float(one[1]) for one, _ in zip(found, range(_MAX_PERCENTAGES), strict=False))
