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
    for spelling in _spellings(value, evidence):
        start = text.find(spelling, 0, limit)
        if start >= 0 and _digits_stand(text, spelling, start, limit):
            return True
    measured = _names_a_quantity(name[:200]) or value % 1 != 0
    if (
        not measured
        and not -_WORDS_UP_TO <= value <= _WORDS_UP_TO
        and (value % _WORDS_UP_TO or not _may_be_worded(int(value), evidence))
    ):
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


def _spellings(value: float, evidence: Evidence) -> tuple[str, ...]:
    """How a number may be written in digits; where there is no comma, none groups them."""
    if isinstance(value, float):
        if not value.is_integer():
            return (f"{value}", f"{value:,}", f"{value:.2f}")
        if abs(value) < 1e18:
            value = int(value)
    if -1000 < value < 1000 or not evidence.has_commas or abs(value) >= 1e18:
        return (str(value),)
    return (str(value), f"{value:,}")


def _digits_stand(text: str, digits: str, start: int, limit: int) -> bool:
    """Whether the digits, first found at `start`, stand somewhere as a number: 12 is not in 5123, 12.5 or 3.12."""
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
