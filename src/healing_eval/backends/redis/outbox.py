"""How do many small appends cost little? Those that arrive while one is on its way travel together in the next.

And those that arrive at the same moment, as when a transaction of many is committed, travel together in the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from healing_eval.errors import BackendError

_CLOSED = "closed before it was sent"


class _Batch:
    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.waiting: list[asyncio.Future[None]] = []

    def settle(self, error: BaseException | None = None) -> None:
        """Tell all who have not gone away."""
        for one in self.waiting:
            if not one.done():
                _tell(one, error)


class Outbox:
    """One sender for many callers."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Take what sends bytes."""
        self._send = send
        self._gathering = _Batch()
        self._sending: asyncio.Task[None] | None = None

    async def put(self, part: bytes) -> None:
        """Send a part, and return once it is sent; a caller that is cancelled does not take it back.

        Raises:
            BackendError: it could not be; every caller of the batch is told.
        """
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gathering.parts.append(part)
        self._gathering.waiting.append(sent)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        await sent

    async def close(self) -> None:
        """Break off what is being sent, and tell all who wait."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        self._gathering.settle(BackendError(_CLOSED))

    async def _send_all(self) -> None:
        """Go on until there is nothing more to send."""
        try:
            while self._gathering.parts:
                batch, self._gathering = self._gathering, _Batch()
                await self._send_batch(batch)
        finally:
            self._sending = None

    async def _send_batch(self, batch: _Batch) -> None:
        try:
            await self._send(b"".join(batch.parts))
        except asyncio.CancelledError:
            batch.settle(BackendError(_CLOSED))
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours is for those to raise who wait for it
            batch.settle(error)
        else:
            batch.settle()


def _tell(waiting: asyncio.Future[None], error: BaseException | None) -> None:
    if error is None:
        waiting.set_result(None)
    elif isinstance(error, BackendError):
        own = BackendError(str(error))  # each has its own, since raising one in many places mixes up their traces
        own.__cause__ = error.__cause__
        waiting.set_exception(own)
    else:
        waiting.set_exception(error)
