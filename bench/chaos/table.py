"""How is the table written?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from bench.chaos.fault import Row
from bench.chaos.site import SETTINGS

_SHORTER = ", ".join(f"{name.lower()[13:].replace('__', '.')} = {value}" for name, value in SETTINGS.items())
_COLUMNS = "{:<58} {:>8} {:>6} {:>5} {:>5} {:>5} {:>8} {:>9} {:>6}"
HEAD = f"Shorter than by default: {_SHORTER}\n" + _COLUMNS.format(
    "fault", "accepted", "again", "lost", "twice", "stuck", "unjudged", "recovered", "calls"
)


def line(row: Row) -> str:
    """Write one row; `again` counts posts that had to be repeated, `calls` those of the model a conversation."""
    one = row.counts
    recovered = "never" if row.recovery_seconds is None else f"{row.recovery_seconds:.1f} s"
    calls = row.model_calls / max(1, one.accepted)
    again = sum(row.reposts.values())
    counted = (f"{one.accepted:,}", again, one.lost, one.twice, one.stuck, one.unjudged, recovered, f"{calls:.2f}")
    return _COLUMNS.format(row.title, *counted) + ("" if row.is_good else "  NOT GOOD")


def foot(rows: Sequence[Row], seconds: float) -> str:
    """Sum it up."""
    lost, twice, stuck = (sum(getattr(row.counts, name) for row in rows) for name in ("lost", "twice", "stuck"))
    accepted = sum(row.counts.accepted for row in rows)
    counted = f"{accepted:,} accepted, {lost} lost, {twice} twice, {stuck} stuck"
    return f"{len(rows)} faults, {counted}; {seconds / 60:.0f} minutes"


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """Give all of it for a machine to read."""
    return {
        "settings": SETTINGS,
        "good": all(row.is_good for row in rows),
        "rows": [{**msgspec.to_builtins(row), "good": row.is_good} for row in rows],
    }
