"""Which attacks are there? Every variant of every family at every place."""

from __future__ import annotations

from collections.abc import Iterator

from healing_eval.testing.redteam.attack import Attack, Order, an_order
from healing_eval.testing.redteam.disguises import MADE
from healing_eval.testing.redteam.places import PLACES
from healing_eval.testing.redteam.texts import FILLED_IN

LONG = 10_000
"""Texts from this length on are put at a few places only, since each costs as much as a hundred others."""
PLACES_OF_LONG_ONES = ("user_turn", "closing_turn", "tool_result")


def attacks(salt: str) -> Iterator[Attack]:
    """Write the corpus.

    Args:
        salt: makes the canaries; drawn anew for each run.
    """
    for family, variant in _names():
        for place in PLACES:
            order = an_order(f"{family}/{variant}@{place}", salt)
            text = _text(family, variant, order)
            if len(text) < LONG or place in PLACES_OF_LONG_ONES:
                yield Attack(family, variant, place, text, order)


def _names() -> Iterator[tuple[str, str]]:
    for table in (FILLED_IN, MADE):
        for family, variants in table.items():
            yield from ((family, variant) for variant in variants)


def _text(family: str, variant: str, order: Order) -> str:
    if family in MADE:
        return MADE[family][variant](order)
    text = FILLED_IN[family][variant]
    for name, value in (
        ("ORDER", order.text),
        ("CANARY", order.canary),
        ("GRADE", str(order.grade)),
        ("GUESS", order.guess),
    ):
        text = text.replace(name, value)
    return text
