"""Whose turn is it? Of all processes, one at a time does what only one has to do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from healing_eval.errors import BackendError
from healing_eval.ports.lease import Lease

T = TypeVar("T")


class Turn:
    """The turn to do something, by the name of a lease."""

    def __init__(self, lease: Lease, holder: str, name: str) -> None:
        self._lease = lease
        self._holder = holder
        self._name = name

    async def is_ours(self, seconds: float) -> bool:
        """Take the turn for some seconds, or keep it.

        Raises:
            BackendError: nobody can tell now.
        """
        return await self._lease.acquire(self._name, self._holder, seconds) is not None

    async def give_back(self) -> None:
        """Let another have it at once, if it is ours; where that fails, it runs out."""
        with suppress(BackendError):
            token = await self._lease.acquire(self._name, self._holder, 1.0)
            if token is not None:
                await self._lease.release(self._name, token)

    async def keep_during(
        self, work: Coroutine[Any, Any, T], *, seconds: float, stop: asyncio.Event | None = None
    ) -> T | None:
        """Do work that may last longer than the turn, which is kept meanwhile; None if it was broken off.

        It is broken off when `stop` is set and when the turn is lost, so it has to be such that another can go on.

        Args:
            work: what to do; the turn is ours already.
            seconds: how long the turn lasts unless it is kept.
            stop: the word to stop.
        """
        doing = asyncio.create_task(work)
        stopped = asyncio.create_task((stop or asyncio.Event()).wait())
        try:
            while not doing.done() and not stopped.done():
                await asyncio.wait({doing, stopped}, timeout=seconds / 3, return_when=asyncio.FIRST_COMPLETED)
                if not doing.done() and not await self._still_ours(seconds):
                    break
            return doing.result() if doing.done() else None
        finally:
            for task in (doing, stopped):
                task.cancel()
            await asyncio.gather(doing, stopped, return_exceptions=True)

    async def _still_ours(self, seconds: float) -> bool:
        try:
            return await self.is_ours(seconds)
        except BackendError:  # what cannot be told is no
            return False
