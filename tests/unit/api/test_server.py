"""Listening, being told where, and stopping."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from litestar.types import Receive, Scope, Send

from healing_eval.api.server import serve
from healing_eval.errors import ConfigError


class Echo:
    """Answers when it is allowed to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})


async def start(app: Echo, host: str = "127.0.0.1") -> tuple[asyncio.Task[None], int]:
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, host, 0, ready=listening.set_result))
    return serving, await listening


async def ask(port: int, host: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_request_in_flight_is_answered_before_it_stops() -> None:
    app = Echo()
    serving, port = await start(app)
    asking = asyncio.create_task(ask(port))
    await app.asked.wait()

    serving.cancel()
    app.may_answer.set()

    assert (await asking).endswith(b"ok")
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(OSError, match=str(port)):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_port_in_use_is_an_error_and_the_same_port_can_be_used_again_afterwards() -> None:
    app = Echo()
    app.may_answer.set()
    serving, port = await start(app)
    await ask(port)

    with pytest.raises(ConfigError, match=f"port {port}"):
        await serve(app, "127.0.0.1", port, ready=lambda _: None)

    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    again = asyncio.create_task(serve(app, "127.0.0.1", port, ready=listening.set_result))
    assert await listening == port
    again.cancel()
    with suppress(asyncio.CancelledError):
        await again


async def test_an_address_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.invalid"):
        await serve(Echo(), "nowhere.invalid", 0, ready=lambda _: None)
