"""Does too much wait already? What is pending in the store, counted now and then, so that no request waits for it."""

from __future__ import annotations

import asyncio
import time

import structlog

from healing_eval.errors import BackendError, BacklogFull
from healing_eval.ports.ledger import Ledger

log = structlog.get_logger()

EVERY_SECONDS = 1.0
"""How old a count gets at least."""
SHARE_OF_TIME = 0.02
"""How much of the time is spent on counting at most: the longer it takes, the older a count gets."""


class Backlog:
    """Refuses when more waits than a limit, as of the last count; until there is one, nothing is refused."""

    def __init__(self, ledger: Ledger, most: int) -> None:
        """Take who counts, and the limit; 0 is none."""
        self._ledger = ledger
        self._most = most
        self._pending = 0
        self._next_at = 0.0
        self._counting: asyncio.Task[None] | None = None

    def check(self) -> None:
        """Refuse what is new while too much waits.

        Raises:
            BacklogFull: it does; names the setting.
        """
        if not self._most:
            return
        if self._counting is None and time.monotonic() >= self._next_at:
            self._counting = asyncio.create_task(self._count())
        if self._pending > self._most:
            raise BacklogFull(
                f"more than {self._most} conversations wait for evaluation, the most that setting 'limits.backlog' "
                "allows; nothing of this request is stored, send it again later"
            )

    async def close(self) -> None:
        """Break off a count that goes on, and wait until it has given its connection back."""
        if self._counting is not None:
            self._counting.cancel()
            await asyncio.gather(self._counting, return_exceptions=True)

    async def _count(self) -> None:
        started = time.monotonic()
        try:
            self._pending = await self._ledger.count_pending(limit=self._most + 1)
        except BackendError as error:
            log.warning("backlog.uncounted", error=str(error))
        finally:
            ended = time.monotonic()
            self._next_at = ended + max(EVERY_SECONDS, (ended - started) / SHARE_OF_TIME)
            self._counting = None
