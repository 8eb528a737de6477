"""How is a figure shown, and is it what was asked for?"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_HOLDS = {"<=": operator.le, ">=": operator.ge}


class Row(NamedTuple):
    """One measured figure."""

    dataset: str
    n: int
    """How many cases it rests on."""
    measure: str
    value: float | None
    """None when there is nothing to divide by."""
    target: str = ""
    """Such as "<= .03"; empty for a figure that is reported as it is."""

    @property
    def remark(self) -> str:
        """The target, and whether it is met."""
        if not self.target or self.value is None:
            return self.target and f"{self.target}: not measurable"
        relation, bound = self.target.split()
        return f"{self.target}: {'met' if _HOLDS[relation](self.value, float(bound)) else '**missed**'}"


def share(flags: Sequence[bool]) -> float | None:
    """Give the share of true ones; None of nothing."""
    return sum(flags) / len(flags) if flags else None


def markdown(rows: Iterable[Row]) -> str:
    """Write the rows as one table."""
    lines = ["| set | measure | n | value | target |", "|---|---|---|---|---|"]
    for row in rows:
        value = "–" if row.value is None else f"{row.value:.3f}"
        lines.append(f"| {row.dataset} | {row.measure} | {row.n:,} | {value} | {row.remark} |")
    return "\n".join(lines) + "\n"
