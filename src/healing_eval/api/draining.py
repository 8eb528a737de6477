"""What becomes of the rest of a body once the answer is known?

A refusal is often known before the body has been read, from its length or its type. Whoever sends on meanwhile would
find the connection closed, and never see why: ordinary clients read the answer only after the last byte. So the rest
is read and thrown away before the answer is given, as far as a limit of bytes and of time; beyond it the sender is cut
off, since a body may be endless.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from litestar.types import HTTPScope, Receive, ReceiveMessage

SECONDS = 20.0
"""How long an answer may wait for the rest of a body."""
TIMES_THE_LIMIT = 4
"""How much of a body is taken, as a multiple of the largest that is accepted."""


class Draining:
    """Passes on what is received of a request's body, and remembers whether anything is left of it."""

    def __init__(self, scope: HTTPScope, receive: Receive, most_bytes: int, *, seconds: float = SECONDS) -> None:
        """Take the request, the most bytes that are received of it, and for how long the rest may be waited for."""
        headers = dict(scope["headers"])
        self._receive = receive
        self._left = most_bytes
        self._seconds = seconds
        self._over = headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers
        self._waits_for_leave = b"expect" in headers

    async def receive(self) -> ReceiveMessage:
        """Receive the next part."""
        message = await self._receive()
        self._waits_for_leave = False
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._over = not message.get("more_body", False)
        else:
            self._over = True
        return message

    async def drain(self) -> None:
        """Throw away what has not been received, unless the sender waits to be told whether to send it at all."""
        if self._over or self._waits_for_leave:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                while not self._over and self._left > 0:
                    await self.receive()
