"""Who sends conversations as fast as they are taken, at little cost of its own?

Each connection keeps one request outstanding. Conversations repeat the texts of `bench.load` under ids that were never
used before, since what is sent twice is a duplicate.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import cast

import msgspec

from bench import load

TEXTS = 4096
"""Conversations that are different in more than their id."""
_ID = b'"conversation_id":"'
_RETRY_SECONDS = 0.05


class Bodies:
    """Request bodies without end."""

    def __init__(self, prefix: str, batch: int, file: Path | None = None) -> None:
        """Prepare them.

        Args:
            prefix: first part of every conversation's id.
            batch: conversations in one body.
            file: JSON lines to take the texts from; None for the load of our own.
        """
        self.batch = batch
        self._prefix = prefix.encode()
        self._texts = [_split(line) for line in _lines(file)]
        self._numbers = count()

    def next(self) -> bytes:
        """Give the next one."""
        return b'{"conversations":[' + b",".join([self._item() for _ in range(self.batch)]) + b"]}"

    def last_id(self) -> str:
        """Name the conversation that was made last."""
        return (self._prefix + b"%09d" % self._last).decode()

    def _item(self) -> bytes:
        self._last = number = next(self._numbers)
        before, after = self._texts[number % len(self._texts)]
        return before + self._prefix + b"%09d" % number + after


def _lines(file: Path | None) -> Sequence[bytes]:
    if file is not None:
        return file.read_bytes().splitlines()[:TEXTS]
    source = load.conversations()
    return [msgspec.json.encode(next(source)) for _ in range(TEXTS)]


def _split(line: bytes) -> tuple[bytes, bytes]:
    """Cut a conversation where its id stands."""
    compact = msgspec.json.encode(msgspec.json.decode(line))
    before, found, rest = compact.partition(_ID)
    assert found, "every conversation has an id"
    return before + found, rest[rest.index(b'"') :]


class Sent(msgspec.Struct):
    """What came of it."""

    statuses: Counter[int] = msgspec.field(default_factory=Counter[int])
    accepted: int = 0
    seconds: list[float] = []
    """From each request to its answer."""


class Client:
    """A number of connections to one server."""

    def __init__(self, port: int, bodies: Bodies, *, may_send: Callable[[], bool] = lambda: True) -> None:
        """Take where to send to, what to send, and who may hold it back for a while."""
        self._port = port
        self.bodies = bodies
        self._may_send = may_send
        self.sent = Sent()
        self._stopping = False
        self._connections: list[_Connection] = []

    async def run(self, connections: int, seconds: float) -> None:
        """Send for so long, and wait for the last answers."""
        loop = asyncio.get_running_loop()
        self._stopping = False
        for _ in range(connections):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
            self._connections.append(connection)
        await asyncio.sleep(seconds)
        self._stopping = True
        await asyncio.gather(*(connection.ended for connection in self._connections))
        self._connections.clear()

    def next_request(self) -> bytes | None:
        """Give what is to be sent now; None while nothing may be."""
        if not self._may_send():
            return None
        body = self.bodies.next()
        head = b"POST /api/v1/conversations HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        return b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)

    @property
    def stopping(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._stopping

    def answered(self, status: int, body: bytes, seconds: float) -> None:
        """Take an answer into account."""
        self.sent.statuses[status] += 1
        self.sent.accepted += body.count(b'"status":"accepted"')
        self.sent.seconds.append(seconds)


class _Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._received = bytearray()
        self._length = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self._client.sent.statuses[0] += 1
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._length < 0 and (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end]).lower()
            self._status = int(head[9:12])
            self._length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            del self._received[: end + 4]
        if 0 <= self._length <= len(self._received):
            self._client.answered(self._status, bytes(self._received), time.perf_counter() - self._sent_at)
            self._received.clear()
            self._length = -1
            self._send()

    def _send(self) -> None:
        if self._client.stopping:
            self.ended.set_result(None)
            self._transport.close()
            return
        request = self._client.next_request()
        if request is None:
            self._loop.call_later(_RETRY_SECONDS, self._send)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)
