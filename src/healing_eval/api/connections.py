"""How is one connection treated?

It is closed when a request on it never begins, never ends its headers, has too many of them, or goes on after it was
answered; bodies have limits of their own (`body`, `draining`). And the headers of an answer wait for its first part, so
that both are one packet: sending is what costs most of an answer.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from healing_eval.api.problems import MEDIA_TYPE, Problem

HEADERS_SECONDS = 30.0
"""How long the headers of a request may take, from the connection's or their own first byte."""
HEADERS_BYTES = 65536
"""How long they may be, the request line included."""

_ANSWER = b"HTTP/1.1 "


def _refusal(status: HTTPStatus, detail: str) -> bytes:
    problem = Problem(type="about:blank", title=status.phrase, status=status.value, detail=detail)
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\nconnection: close\r\n"
    body = msgspec.json.encode(problem)
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


_NOT_HTTP = _refusal(
    HTTPStatus.BAD_REQUEST,
    "this is no request of HTTP/1.1 with a method that exists and a path of at most 65535 bytes",
)
_TOO_LONG = _refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the headers are longer than {HEADERS_BYTES} bytes, the limit"
)


class Connection(HttpToolsProtocol):
    """Knows since when it waits for the headers of a request, and how long they are so far."""

    headers_since = math.inf
    """By the monotonic clock; infinite while it waits for none."""
    _headers_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.headers_since = time.monotonic()
        super().connection_made(cast("Any", _InOnePacket(cast("asyncio.Transport", transport))))

    def on_message_begin(self) -> None:
        self.headers_since = time.monotonic()
        self._headers_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.headers_since = math.inf
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:  # of what nobody reads there may be no end
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.headers_since != math.inf:
            self._headers_bytes += len(data)
            if self._headers_bytes > HEADERS_BYTES and not self.transport.is_closing():
                self._refuse(_TOO_LONG)

    def send_400_response(self, msg: str) -> None:
        self._refuse(_NOT_HTTP)

    def _refuse(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.transport.close()


class _InOnePacket:
    """A transport that keeps the headers of an answer until the next write, or until nothing else is left to do."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._kept = b""

    def write(self, data: bytes) -> None:
        if self._kept:
            self._transport.write(self._kept + data)
            self._kept = b""
        elif data.startswith(_ANSWER):
            self._kept = data
            asyncio.get_running_loop().call_soon(self._let_go)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._let_go()
        self._transport.close()

    def _let_go(self) -> None:
        if self._kept:
            self._transport.write(self._kept)
            self._kept = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def let_go_of_the_slow(connections: Iterable[object], now: float) -> None:
    """Close those that have waited for headers for too long, by the monotonic clock."""
    before = now - HEADERS_SECONDS
    for connection in list(connections):
        if isinstance(connection, Connection) and connection.headers_since < before:
            connection.transport.close()
