"""How is measured after all what a budget, a failure or the lack of a model left out?

Its lane is opened again in the ledger and rung on the stream; then the workers do what they always do, budgets
included. Whatever is not rung is found by the sweeper, so that to be killed in between loses nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

import msgspec
import structlog

from healing_eval.domain.unmeasured import Why
from healing_eval.errors import BackendError
from healing_eval.ports.ledger import Gap, GapQuery, Ledger
from healing_eval.ports.stream import Stream

log = structlog.get_logger()

PAGE = 1000
"""Conversations opened in one transaction."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which gaps are to be filled."""

    project: str
    why: tuple[Why, ...]
    accepted_from: datetime | None = None
    """Inclusive."""
    accepted_before: datetime | None = None
    """Exclusive."""
    limit: int
    """Most conversations, of all evaluators together."""


class Backfilled(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, or opened, for one evaluator."""

    evaluator: str
    lane: str
    conversations: dict[Why, int]
    """How many, by why they were not measured."""
    costs_known: int
    """Of how many evaluations the mean cost is."""
    estimated_dollars: float | None
    """What all of them are expected to cost, by that mean; None: not known."""

    @property
    def count(self) -> int:
        """How many there are, whatever the reason."""
        return sum(self.conversations.values())


async def backfill(
    ledger: Ledger, stream: Stream | None, lanes: dict[str, str], wanted: Wanted, *, dry_run: bool
) -> AsyncGenerator[Backfilled]:
    """Open again what these evaluators did not measure, and tell of each.

    Args:
        ledger: what holds it.
        stream: where the workers listen; None where only they themselves can ring.
        lanes: evaluator to the lane it travels on.
        wanted: which gaps, and how many.
        dry_run: only count.

    Raises:
        BackendError: the ledger failed; what was opened before is worked on all the same.
    """
    left = wanted.limit
    for evaluator, lane in lanes.items():
        counts = Counter[Why]()
        async for page in _pages(ledger, evaluator, wanted):
            gaps = page[: left - counts.total()]
            if not dry_run:
                gaps = await _open(ledger, stream, lane, gaps)
            counts.update(one.why for one in gaps)
            if counts.total() >= left:
                break
        left -= counts.total()
        mean = await ledger.mean_cost(wanted.project, evaluator)
        yield Backfilled(
            evaluator=evaluator,
            lane=lane,
            conversations=dict(sorted(counts.items())),
            costs_known=mean.evaluations,
            estimated_dollars=None if mean.dollars is None else mean.dollars * counts.total(),
        )
        if left <= 0:
            return


async def _pages(ledger: Ledger, evaluator: str, wanted: Wanted) -> AsyncGenerator[Sequence[Gap]]:
    query = GapQuery(
        project=wanted.project,
        evaluator=evaluator,
        why=wanted.why,
        accepted_from=wanted.accepted_from,
        accepted_before=wanted.accepted_before,
        limit=PAGE,
    )
    page = await ledger.gaps(query)
    yield page.items
    while page.next_cursor is not None:
        page = await ledger.gaps(msgspec.structs.replace(query, cursor=page.next_cursor))
        yield page.items


async def _open(ledger: Ledger, stream: Stream | None, lane: str, gaps: Sequence[Gap]) -> Sequence[Gap]:
    """Open them again, ring, and give those that were opened: others may have been faster."""
    opened = set(await ledger.open_again([one.revision_key for one in gaps], lane))
    done = [one for one in gaps if one.revision_key in opened]
    if stream is not None and done:
        try:
            await stream.append(lane, [one.revision_key for one in done])
        except BackendError as error:
            log.warning("backfill.unrung", lane=lane, conversations=len(done), error=str(error))
    return done
