from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from litestar.types import HTTPScope, Receive, ReceiveMessage

from healing_eval.api.draining import Draining

SENDS_ALL = [(b"content-length", b"9")]


def scope(headers: list[tuple[bytes, bytes]]) -> HTTPScope:
    return cast("HTTPScope", {"headers": headers})


class Sender:
    """Sends pieces for as long as it is asked, and counts them."""

    def __init__(self, *pieces: bytes, endless: bool = False) -> None:
        self._pieces = list(pieces)
        self._endless = endless
        self.sent = 0

    async def receive(self) -> ReceiveMessage:
        piece = self._pieces[0] if self._endless else self._pieces.pop(0)
        self.sent += 1
        message: Any = {"type": "http.request", "body": piece, "more_body": self._endless or bool(self._pieces)}
        return message


async def test_the_rest_is_read_and_no_more() -> None:
    sender = Sender(b"abc", b"def", b"ghi")
    body = Draining(scope(SENDS_ALL), cast("Receive", sender.receive), 100)

    await body.receive()
    await body.drain()
    await body.drain()

    assert sender.sent == 3


async def test_an_endless_body_is_read_up_to_the_limit() -> None:
    sender = Sender(b"x" * 10, endless=True)
    body = Draining(scope([(b"transfer-encoding", b"chunked")]), cast("Receive", sender.receive), 100)

    await body.drain()

    assert sender.sent == 10


async def test_a_body_that_stops_coming_is_waited_for_only_so_long() -> None:
    never = asyncio.Event()

    async def receive() -> ReceiveMessage:
        await never.wait()
        raise AssertionError("nobody sets it")

    body = Draining(scope(SENDS_ALL), cast("Receive", receive), 100, seconds=0.01)

    await body.drain()


async def test_a_sender_that_hangs_up_is_not_waited_for() -> None:
    async def receive() -> ReceiveMessage:
        return cast("ReceiveMessage", {"type": "http.disconnect"})

    body = Draining(scope(SENDS_ALL), cast("Receive", receive), 100)

    await body.drain()


@pytest.mark.parametrize(
    "headers", [[], [(b"content-length", b"0")], [*SENDS_ALL, (b"expect", b"100-continue")]], ids=["none", "0", "asks"]
)
async def test_nothing_is_asked_for_that_does_not_come_by_itself(headers: list[tuple[bytes, bytes]]) -> None:
    sender = Sender(b"abc")
    body = Draining(scope(headers), cast("Receive", sender.receive), 100)

    await body.drain()

    assert sender.sent == 0
