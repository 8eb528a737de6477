"""Who notices a conversation whose message was lost? The store knows what is pending; the sweeper rings again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from healing_eval import telemetry
from healing_eval.errors import BackendError
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.stream import Stream
from healing_eval.worker.census import Census
from healing_eval.worker.turn import Turn

log = structlog.get_logger()

PAGE = 10_000
"""Most messages rung again at once."""
NAME = "sweep"
"""Of the lease."""
TURN_OF_ROUNDS = 2
"""A turn lasts as long as so many rounds take, unless it is renewed: then another process sweeps."""


async def sweep_lane(
    lane: str, ledger: Ledger, stream: Stream, *, accepted_before: datetime, after: Sequence[str] = ()
) -> int:
    """Ring again for what is pending on a lane, and tell for how many.

    Nothing is rung again while the lane, and those that come before it, hold as many messages as are pending, for then
    these simply wait their turn. A stream that lost some holds fewer; those it still has are then rung twice, which the
    ledger's fence makes harmless.
    """
    earlier = sum(
        [await stream.depth(one) for one in after]
    )  # first: what goes on meanwhile is counted twice, not never
    own = await stream.depth(lane)
    telemetry.QUEUE_DEPTH.labels(lane).set(own)
    depth = earlier + own
    if depth >= PAGE:
        return 0
    keys = await ledger.pending(lane, accepted_before=accepted_before, limit=PAGE)
    if len(keys) <= depth:
        return 0
    if after:
        keys = await ledger.pending(lane, accepted_before=accepted_before, limit=PAGE, after=after)
    if not keys:
        return 0
    await stream.append(lane, keys)
    log.info("lane.swept", lane=lane, rung_again=len(keys), messages_before=depth)
    return len(keys)


async def sweep(
    lanes: Mapping[str, Sequence[str]],
    ledger: Ledger,
    stream: Stream,
    turn: Turn,
    stop: asyncio.Event,
    *,
    every_seconds: float,
) -> None:
    """Sweep all lanes at once and then regularly, until `stop` is set; while another process has the turn, only wait.

    The first sweep takes everything pending, since nothing that an earlier process had rung is in an in-process stream.
    Each of `lanes` has those that come before it.
    """
    age, census = timedelta(0), Census(ledger, list(lanes))
    while not stop.is_set():
        rung = 0
        try:
            if await turn.is_ours(TURN_OF_ROUNDS * every_seconds):
                await census.take()
                before = await ledger.now() - age
                rung = sum(
                    [
                        await sweep_lane(lane, ledger, stream, accepted_before=before, after=after)
                        for lane, after in lanes.items()
                    ]
                )
            else:
                census.forget()
        except BackendError as error:
            census.forget()
            log.warning("sweep.interrupted", error=str(error))
        age = timedelta(seconds=every_seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=1.0 if rung >= PAGE else every_seconds)
