"""Was this number said before, or does it follow from two that were?"""

from __future__ import annotations

from functools import lru_cache

from healing_eval.evaluators.tool_call.grounding.evidence import Evidence
from healing_eval.evaluators.values.text import words_of_name

# fmt: off
_QUANTITIES = frozenset((
    "age", "amount", "balance", "budget", "capacity", "cost", "count", "days", "deposit", "difference", "discount",
    "distance", "duration", "fare", "fee", "height", "hours", "length", "limit", "minutes", "months", "nights",
    "payment",
    "percent", "percentage", "price", "quantity", "rate", "refund", "salary", "size", "sum", "temperature",
    "tip", "total", "value", "volume", "weight", "width", "years",
))
# fmt: on
_MAX_OPERANDS = 400
_WORDS_UP_TO = 100
_TOO_LARGE = 1e13


def number_said(value: float, name: str, evidence: Evidence, pieces: int) -> bool:
    """Whether a number stands in the first `pieces` pieces in any spelling, or follows from two there."""
    text, limit = evidence.passages.raw(pieces)
    for spelling in _spellings(value, commas=evidence.has_commas):
        if _digits_stand(text, spelling, limit):
            return True
    measured = not float(value).is_integer() or _names_a_quantity(name[:200])
    if not measured and abs(value) > _WORDS_UP_TO and value % _WORDS_UP_TO:
        return False
    if not measured and abs(value) > _WORDS_UP_TO and not _may_be_worded(int(value), evidence):
        return False
    numbers = evidence.numbers
    if numbers.get(float(value), pieces) < pieces:
        return True
    return measured and _follows(float(value), [seen for seen, piece in numbers.items() if piece < pieces])


def _may_be_worded(value: int, evidence: Evidence) -> bool:
    """Whether the text could hold a round number as "two thousand" or "2k"; to read all its numbers takes longer."""
    text = evidence.passages.plain_whole
    return evidence.names_scales or f"{value // 1000}k" in text or f"{value // 1_000_000}m" in text


@lru_cache(maxsize=4096)
def _names_a_quantity(name: str) -> bool:
    """Whether an argument holds an amount, which may be computed; number_of_guests does, card_number does not."""
    words = words_of_name(name)
    return not _QUANTITIES.isdisjoint(words) or "number" in words[:-1]


def _spellings(value: float, *, commas: bool) -> list[str]:
    """How a number may be written in digits; where there is no comma, none groups them."""
    if isinstance(value, float) and not value.is_integer():
        return [f"{value}", f"{value:,}", f"{value:.2f}"]
    if abs(value) >= 1e18:
        return [str(value)]
    whole = int(value)
    return [str(whole), f"{whole:,}"] if commas and abs(whole) >= 1000 else [str(whole)]


def _digits_stand(text: str, digits: str, limit: int) -> bool:
    """Whether the digits stand there as a number of their own: 12 is not in 5123, 12.5 or 3.12."""
    start = text.find(digits, 0, limit)
    while start >= 0:
        end = start + len(digits)
        before, after = text[max(start - 2, 0) : start], text[end : end + 2]
        inside = before[-1:].isalnum() or (before[-1:] in (".", ",") and before[:1].isdigit())
        goes_on = after[:1].isdigit() or (after[:1] in (".", ",") and after[1:].isdigit() and after != ".0")
        if not inside and not goes_on:
            return True
        start = text.find(digits, end, limit)
    return False


def _follows(value: float, seen: list[float]) -> bool:
    """Whether the value is a sum, difference or product of two numbers seen; to the hundredth."""
    if not abs(value) < _TOO_LARGE:
        return False
    hundredths = {round(number * 100) for number in seen[:_MAX_OPERANDS] if abs(number) < _TOO_LARGE}
    wanted = round(value * 100)
    if not hundredths.isdisjoint([wanted - one for one in hundredths]):
        return True
    if not hundredths.isdisjoint([wanted + one for one in hundredths]):
        return True
    factors = [one for one in hundredths if one not in (0, 100)]
    return any(
        other in hundredths and abs(other * one - wanted * 100) < 100
        for one in factors
        if (other := round(wanted * 100 / one))
    )
