"""Who notices a conversation whose message was lost? The store knows what is pending; the sweeper rings again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from healing_eval import telemetry
from healing_eval.errors import BackendError
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.stream import Stream

log = structlog.get_logger()

PAGE = 10_000
"""Most messages rung again at once."""


async def sweep_lane(lane: str, ledger: Ledger, stream: Stream, *, accepted_before: datetime) -> int:
    """Ring again for what is pending on a lane, and tell for how many.

    Only a lane that holds no messages is swept: while it holds some, what is pending is simply waiting its turn.
    """
    depth = await stream.depth(lane)
    telemetry.QUEUE_DEPTH.labels(lane).set(depth)
    if depth > 0:
        return 0
    keys = await ledger.pending(lane, accepted_before=accepted_before, limit=PAGE)
    if keys:
        await stream.append(lane, keys)
        log.info("lane.swept", lane=lane, rung_again=len(keys))
    return len(keys)


async def sweep(
    lanes: Sequence[str], ledger: Ledger, stream: Stream, stop: asyncio.Event, *, every_seconds: float
) -> None:
    """Sweep all lanes at once and then regularly, until `stop` is set.

    The first sweep takes everything pending, since nothing that an earlier process had rung is in an in-process stream.
    """
    age = timedelta(0)
    while not stop.is_set():
        rung = 0
        try:
            before = datetime.now(UTC) - age
            rung = sum([await sweep_lane(lane, ledger, stream, accepted_before=before) for lane in lanes])
        except BackendError as error:
            log.warning("sweep.interrupted", error=str(error))
        age = timedelta(seconds=every_seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=1.0 if rung >= PAGE else every_seconds)
