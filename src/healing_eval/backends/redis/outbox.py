"""How do many small appends cost little? Those that arrive while one is on its way travel together in the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from healing_eval.errors import BackendError


class _Batch:
    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.is_settled = False
        self.error: BackendError | None = None


class Outbox:
    """One sender for many callers, without a task of its own: the first caller of a batch sends it for all."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Take what sends bytes; they may be sent again when a sender is cancelled half-way."""
        self._send = send
        self._gathering = _Batch()
        self._sending = asyncio.Lock()

    async def put(self, part: bytes) -> None:
        """Send a part, and return once it is sent.

        Raises:
            BackendError: it could not be; every caller of the batch is told.
        """
        batch = self._gathering
        batch.parts.append(part)
        async with self._sending:
            if batch is self._gathering:
                self._gathering = _Batch()
            if not batch.is_settled:  # nor was it by somebody who was cancelled over it
                await self._settle(batch)
        if batch.error is not None:
            raise BackendError(str(batch.error)) from batch.error.__cause__

    async def _settle(self, batch: _Batch) -> None:
        try:
            await self._send(b"".join(batch.parts))
        except BackendError as error:
            batch.error = error
        batch.is_settled = True
