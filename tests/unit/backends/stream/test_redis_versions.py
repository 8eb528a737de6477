"""Is each version of Redis asked in its own words?

The server here only pretends: Debian's Redis is 7.0, and what 8.2 really does is not tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from healing_eval.backends.stream.redis import RedisStream
from healing_eval.errors import ConfigError
from healing_eval.ports.stream import Delivery
from healing_eval.testing.contract_stream import keys_of

KNOWN, UNKNOWN = b"*1\r\n$1\r\nx\r\n", b"*-1\r\n"


class Pretender:
    """Says which commands it knows, and OK to everything; remembers what it was asked."""

    def __init__(self, known: set[bytes]) -> None:
        self.known = known
        self.asked: list[list[bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            command: list[bytes] = []
            for _ in range(int(head[1:])):
                size = int((await reader.readline())[1:])
                command.append((await reader.readexactly(size + 2))[:-2])
            self.asked.append(command)
            writer.write(self._answer(command))
        writer.close()

    def _answer(self, command: list[bytes]) -> bytes:
        if command[:2] != [b"COMMAND", b"INFO"]:
            return b"+OK\r\n"
        names = command[2:]
        return b"*%d\r\n" % len(names) + b"".join(KNOWN if name in self.known else UNKNOWN for name in names)

    def commands(self) -> list[bytes]:
        return [command[0] for command in self.asked]


@pytest.fixture
def pretender() -> Pretender:
    return Pretender({b"XAUTOCLAIM", b"XACKDEL"})


@pytest.fixture
async def stream(pretender: Pretender) -> AsyncIterator[RedisStream]:
    server = await asyncio.start_server(pretender.serve, "127.0.0.1", 0)
    stream = RedisStream.from_url(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
    yield stream
    await stream.close()
    server.close()
    await server.wait_closed()


async def test_a_server_that_can_remove_at_once_is_asked_to(stream: RedisStream, pretender: Pretender) -> None:
    await stream.open([])

    await stream.ack("checks", [Delivery("1-1", keys_of(1)[0]), Delivery("1-2", keys_of(1)[0])])

    assert pretender.asked[-1] == [b"XACKDEL", b"healing-eval:{checks}", b"workers", b"IDS", b"2", b"1-1", b"1-2"]


async def test_a_server_that_cannot_runs_a_script(stream: RedisStream, pretender: Pretender) -> None:
    pretender.known.discard(b"XACKDEL")

    await stream.ack("checks", [Delivery("1-1", keys_of(1)[0])])

    assert pretender.commands()[-1] == b"EVALSHA"


async def test_it_is_found_out_once(stream: RedisStream, pretender: Pretender) -> None:
    for _ in range(3):
        await stream.ack("checks", [Delivery("1-1", keys_of(1)[0])])

    assert pretender.commands().count(b"COMMAND") == 1


async def test_a_server_that_is_too_old_is_refused(stream: RedisStream, pretender: Pretender) -> None:
    pretender.known.clear()

    with pytest.raises(ConfigError, match=r"too old: it has no XAUTOCLAIM; 6\.2 or newer"):
        await stream.open(["checks"])
