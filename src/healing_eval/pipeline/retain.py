"""How do old months go? Oldest first: taken out of use, archived, dropped.

Each step may be done again, so whoever is killed in the middle has lost nothing, and the next one goes on. Nothing is
dropped before the archive has said that it is kept, where there is one.

What was accepted is evaluated before it goes: a month waits while the latest revision of a conversation in it has a
lane outstanding, and so do those after it. Otherwise a store that was switched off for long would be emptied at its
start, and workers that stand still would look like tidiness.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Literal

import msgspec
import structlog

from healing_eval.domain.month import Month
from healing_eval.ports.archive import Archive
from healing_eval.ports.ledger import Ledger

log = structlog.get_logger()


class OldMonth(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a month, or would become of it."""

    month: str
    state: Literal["due", "dropped", "waits"]
    """`due` when only asked; `waits` while something in it, or before it, is not evaluated."""
    rows: dict[str, int] = {}
    """Table to the rows that were dropped or archived; what an interrupted run had dropped is not in it."""
    conversations: int | None = None
    """How many went with it; None if it was not dropped."""
    unevaluated: int = 0
    """How many conversations have a lane outstanding."""
    archived: tuple[str, ...] = ()
    """Where its parts are kept."""


def first_kept(now: datetime, keep_months: int) -> Month:
    """Tell the oldest month that stays, which is the current one less `keep_months` whole ones."""
    return Month.of(now).earlier(keep_months)


async def list_due(ledger: Ledger, before: Month, *, unevaluated_too: bool = False) -> AsyncGenerator[OldMonth]:
    """Tell what `retain` would do, and do nothing.

    Raises:
        BackendError: the store does not answer.
    """
    waits = False
    for month in await ledger.months_before(before):
        unevaluated = await ledger.unevaluated(month)
        waits = waits or (unevaluated > 0 and not unevaluated_too)
        rows = {part.table: part.rows for part in await ledger.month_parts(month)}
        yield OldMonth(month=str(month), state="waits" if waits else "due", rows=rows, unevaluated=unevaluated)


async def retain(
    ledger: Ledger, archive: Archive | None, before: Month, *, unevaluated_too: bool = False
) -> AsyncGenerator[OldMonth]:
    """Let go of all months before one, and tell of each.

    Args:
        ledger: what holds them.
        archive: takes them before they are dropped.
        before: the oldest month that stays.
        unevaluated_too: drop also what was never evaluated.

    Raises:
        BackendError: the store or the archive failed, or others use a month; the same again goes on.
    """
    for month in await ledger.months_before(before):
        unevaluated = await ledger.unevaluated(month)
        if unevaluated and not unevaluated_too:
            log.warning("month.waits", month=str(month), unevaluated=unevaluated)
            yield OldMonth(month=str(month), state="waits", unevaluated=unevaluated)
            return
        yield await _let_go(ledger, archive, month, unevaluated)


async def _let_go(ledger: Ledger, archive: Archive | None, month: Month, unevaluated: int) -> OldMonth:
    await ledger.close_month(month)
    parts = await ledger.month_parts(month)
    archived = () if archive is None else [await archive.keep(part, ledger.month_rows(part)) for part in parts]
    gone = await ledger.drop_month(month)
    rows = {part.table: part.rows for part in parts}
    log.info("month.dropped", month=str(month), conversations=gone, archived=len(archived), **rows)
    return OldMonth(
        month=str(month),
        state="dropped",
        rows=rows,
        conversations=gone,
        unevaluated=unevaluated,
        archived=tuple(archived),
    )
