"""What has to be done every day, by one of all processes? Room for the months to come, and old months let go of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any

import structlog

from healing_eval.errors import BackendError
from healing_eval.pipeline.retain import OldMonth, first_kept, retain
from healing_eval.ports.archive import Archive
from healing_eval.ports.ledger import Ledger
from healing_eval.worker.turn import Turn

log = structlog.get_logger()

NAME = "schedule"
"""Of the lease for all that is done daily."""
RETAINING = "retain"
"""Of the lease for letting go of months; `healing-eval retain` takes it as well."""
TURN_SECONDS = 180.0
"""How long after its holder's death another process takes over."""
EVERY_SECONDS = 24 * 3600.0
"""A month becomes old once a month; a day late is soon enough, and one that was in use is tried thirty times."""
AGAIN_SECONDS = 600.0
"""After a failure, which may be that somebody read an old month."""

Chore = Callable[[], Coroutine[Any, Any, None]]


class Daily:
    """Does a chore at once and then every day, while it is this process's turn."""

    def __init__(self, chore: Chore, turn: Turn, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a clock that never goes back, in seconds."""
        self._chore = chore
        self._turn = turn
        self._clock = clock
        self._due_at = clock()

    async def run(self, stop: asyncio.Event, *, look_every_seconds: float = TURN_SECONDS / 3) -> None:
        """Go on until `stop` is set; a chore that fails is logged and done again later."""
        while not stop.is_set():
            await self.look(stop)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), timeout=look_every_seconds)
        await self._turn.give_back()

    async def look(self, stop: asyncio.Event) -> None:
        """Take or keep the turn, and do the chore if it is due."""
        try:
            if await self._turn.is_ours(TURN_SECONDS) and self._clock() >= self._due_at:
                done = await self._turn.keep_during(self._done(), seconds=TURN_SECONDS, stop=stop)
                self._due_at = self._clock() + (EVERY_SECONDS if done else AGAIN_SECONDS)
        except BackendError as error:
            log.warning("schedule.interrupted", error=str(error))

    async def _done(self) -> bool:
        """Do the chore, and tell whether it went well; whatever fails in it, the worker goes on."""
        chore = asyncio.create_task(self._chore())
        try:
            await asyncio.wait({chore})
        finally:
            chore.cancel()
        error = chore.exception()
        if isinstance(error, BackendError):
            log.warning("schedule.failed", error=str(error), again_in_seconds=AGAIN_SECONDS)
        elif error is not None:  # a fault of ours
            log.error("schedule.crashed", kind=type(error).__name__, again_in_seconds=AGAIN_SECONDS)
        return error is None


async def keep_house(ledger: Ledger, archive: Archive | None, keep_months: int | None, turn: Turn) -> None:
    """Make room for the months to come, and let go of those that are older than is kept, if a limit is set.

    Raises:
        BackendError: something could not be done now; the same again goes on.
    """
    await ledger.make_room()
    if keep_months is not None:
        await retain_alone(retain(ledger, archive, first_kept(await ledger.now(), keep_months)), turn)


async def retain_alone(months: AsyncGenerator[OldMonth], turn: Turn) -> list[OldMonth]:
    """Let go of months, while no other process does.

    Raises:
        BackendError: another does, or has taken over; or what `retain` raises.
    """
    if not await turn.is_ours(TURN_SECONDS):
        raise BackendError("another process lets go of old months just now")
    try:
        done = await turn.keep_during(_all(months), seconds=TURN_SECONDS)
    finally:
        await turn.give_back()
    if done is None:
        raise BackendError("the lease for letting go of old months was lost; what is left to do is done the next time")
    return done


async def _all(months: AsyncGenerator[OldMonth]) -> list[OldMonth]:
    async with aclosing(months):
        return [one async for one in months]
