"""How is the table written?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from bench.chaos.fault import Row
from bench.chaos.site import SETTINGS

HEAD = "\n".join(
    (
        "Shorter than by default: " + ", ".join(f"{name.lower()[13:]}={value}" for name, value in SETTINGS.items()),
        f"{'fault':<58} {'accepted':>8} {'again':>6} {'lost':>5} {'twice':>5} {'stuck':>5} {'unjudged':>8}"
        f" {'recovered':>9} {'calls':>6}",
    )
)


def line(row: Row) -> str:
    """Write one row; `again` counts posts that had to be repeated, `calls` those of the model a conversation."""
    one = row.counts
    recovered = "never" if row.recovery_seconds is None else f"{row.recovery_seconds:.1f} s"
    calls = row.model_calls / max(1, one.accepted)
    return (
        f"{row.title:<58} {one.accepted:>8,} {sum(row.reposts.values()):>6} {one.lost:>5} {one.twice:>5} {one.stuck:>5}"
        f" {one.unjudged:>8} {recovered:>9} {calls:>6.2f}{'' if row.is_good else '  NOT GOOD'}"
    )


def foot(rows: Sequence[Row], seconds: float) -> str:
    """Sum it up."""
    lost, twice, stuck = (sum(getattr(row.counts, name) for row in rows) for name in ("lost", "twice", "stuck"))
    accepted = sum(row.counts.accepted for row in rows)
    return f"{len(rows)} faults, {accepted:,} accepted, {lost} lost, {twice} twice, {stuck} stuck; {seconds / 60:.0f} minutes"


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """Give all of it for a machine to read."""
    return {
        "settings": SETTINGS,
        "good": all(row.is_good for row in rows),
        "rows": [{**msgspec.to_builtins(row), "good": row.is_good} for row in rows],
    }
