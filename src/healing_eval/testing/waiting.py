"""How does a test wait? Until something holds, never for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def wait_until(holds: Callable[[], Awaitable[bool]], *, seconds: float = 10.0) -> None:
    """Return the moment a condition holds.

    Raises:
        TimeoutError: it does not hold in time.
    """
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - what is waited for is often another process
            await asyncio.sleep(0.005)
