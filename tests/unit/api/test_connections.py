"""Whom a server lets go of, and how an answer leaves."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from litestar.types import Receive, Scope, Send
from uvicorn.server import ServerState

from healing_eval.api.connections import HEADERS_BYTES, HEADERS_SECONDS, Connection, let_go_of_the_slow
from healing_eval.api.server import config_of

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Hello:
    """Answers when it is allowed to, and its headers before that if asked to."""

    def __init__(self, *, headers_first: bool = False) -> None:
        self.may_answer = asyncio.Event()
        self.is_asked = asyncio.Event()
        self._headers_first = headers_first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.is_asked.set()
        if not self._headers_first:
            await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await self.may_answer.wait()
        await send({"type": "http.response.body", "body": b"hello", "more_body": False})


class Listening:
    """A server, and what it knows of its connections."""

    def __init__(self, app: Hello) -> None:
        self.state = ServerState()
        self.taken = asyncio.Event()
        self._config = config_of(app)

    def connection(self) -> Connection:
        asyncio.get_running_loop().call_soon(self.taken.set)  # once the connection is made
        return Connection(config=self._config, server_state=self.state, app_state={})

    @asynccontextmanager
    async def asked(self, sent: bytes) -> AsyncGenerator[asyncio.StreamReader]:
        """Connect, send something, and give what reads the answer."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self.connection, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(sent)
        await writer.drain()
        yield reader
        writer.close()
        server.close()


class Wire(asyncio.Transport):
    """Passes on what is written to it, packet by packet."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: asyncio.Queue[bytes] = asyncio.Queue()
        self.closed = False

    def write(self, data: Any) -> None:
        self.packets.put_nowait(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"what is this\r\n\r\n", 400),
        (b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"a" * (HEADERS_BYTES + 1), 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    ],
)
async def test_what_is_no_request_is_told_so_and_let_go(sent: bytes, status: int) -> None:
    async with Listening(Hello()).asked(sent) as reader:
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:"])
async def test_who_does_not_ask_is_let_go_after_a_while(sent: bytes) -> None:
    listening = Listening(Hello())
    async with listening.asked(sent) as reader:
        await listening.taken.wait()

        let_go_of_the_slow(listening.state.connections, time.monotonic() + HEADERS_SECONDS - 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.05)

        let_go_of_the_slow(listening.state.connections, time.monotonic() + HEADERS_SECONDS + 1)
        assert await reader.read() == b""


async def test_who_waits_for_an_answer_is_not_let_go() -> None:
    app = Hello()
    listening = Listening(app)
    async with listening.asked(REQUEST) as reader:
        await app.is_asked.wait()
        let_go_of_the_slow(listening.state.connections, time.monotonic() + 10 * HEADERS_SECONDS)
        app.may_answer.set()

        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_an_answer_is_one_packet() -> None:
    app, wire = Hello(), Wire()
    app.may_answer.set()
    connection = Listening(app).connection()
    connection.connection_made(wire)

    connection.data_received(REQUEST)
    connection.data_received(REQUEST)

    for _ in range(2):
        packet = await wire.packets.get()
        assert packet.startswith(b"HTTP/1.1 200 OK")
        assert packet.endswith(b"\r\n\r\nhello")


async def test_headers_do_not_wait_for_a_body_that_takes_its_time() -> None:
    app, wire = Hello(headers_first=True), Wire()
    connection = Listening(app).connection()
    connection.connection_made(wire)

    connection.data_received(REQUEST)

    assert (await wire.packets.get()).endswith(b"\r\n\r\n")
    app.may_answer.set()
    assert await wire.packets.get() == b"hello"


async def test_what_is_sent_on_after_the_answer_ends_the_connection() -> None:
    app, wire = Hello(), Wire()
    app.may_answer.set()
    connection = Listening(app).connection()
    connection.connection_made(wire)

    connection.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")

    assert (await wire.packets.get()).endswith(b"hello")
    await asyncio.sleep(0)
    assert wire.closed
