"""Which process hands batches in, and how often? The one whose turn it is."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import structlog

from healing_eval.errors import BackendError
from healing_eval.gateway.batches import Batches
from healing_eval.worker.turn import Turn

log = structlog.get_logger()

NAME = "batches"
"""Of the lease."""
TURN_SECONDS = 180.0
"""How long after its holder's death another process takes over."""


async def see_to_batches(batches: Batches, turn: Turn, stop: asyncio.Event, *, every_seconds: float) -> None:
    """See to batches at once and then regularly, until `stop` is set; while it is another's turn, only wait."""
    due_at = 0.0
    while not stop.is_set():
        try:
            if await turn.is_ours(TURN_SECONDS) and time.monotonic() >= due_at:
                due_at = time.monotonic() + every_seconds
                await turn.keep_during(batches.round(), seconds=TURN_SECONDS, stop=stop)
        except BackendError as error:
            log.warning("batches.interrupted", error=str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours; what it says may hold what people said
            log.error("batches.crashed", kind=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=min(every_seconds, TURN_SECONDS / 3))
    await turn.give_back()
