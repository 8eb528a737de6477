"""How is the network between us and a server made slow, silent or broken?

    with FaultProxy(server.port) as proxy:
        ...                # talk to the server on proxy.port
        proxy.freeze()     # connections stay, new ones are accepted, nothing gets through
        proxy.thaw()       # what was held back arrives

It runs in a thread of its own, so it may be used from a test that is a coroutine and from one that is not.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self

CHUNK = 65536
START_SECONDS = 10.0
_RESET = struct.pack("ii", 1, 0)
"""Of SO_LINGER: a close is a reset."""


class FaultProxy:
    """Passes TCP connections on to a loopback port, on a loopback port of its own that stays the same.

    Attributes:
        delay_seconds: how much later everything arrives, in each direction; 0 for at once.
        bytes_per_second: how much gets through each connection in each direction; None for all there is.
        loses_answers: whether what the server says is thrown away; what it is told still arrives.
    """

    def __init__(self, to_port: int) -> None:
        """Take the server's port; nothing listens yet."""
        self.delay_seconds = 0.0
        self.bytes_per_second: float | None = None
        self.loses_answers = False
        self._to_port = to_port
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._open: set[_Connection] = set()
        self._refuses = False
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to pass connections on."""
        self._thread.start()
        self._do(self._listen)

    def stop(self) -> None:
        """Cut all connections and listen no more."""
        if self._thread.is_alive():
            self._do(self._end)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(START_SECONDS)
        self._socket.close()

    def freeze(self) -> None:
        """Hold everything back: connections stay open and new ones are accepted, and nobody hears from them."""
        self._call(self._flowing.clear)

    def thaw(self) -> None:
        """Deliver what was held back, and pass everything on again."""
        self._call(self._flowing.set)

    def abandon(self) -> None:
        """Make the connections of now half-open: they stay, silent for ever. New ones are passed on."""
        self._call(lambda: [one.abandon() for one in self._open])

    def notice(self) -> None:
        """Let the server learn, as by TCP's keep-alive, that the abandoned are gone; the clients hear nothing."""
        self._call(lambda: [one.forget_server() for one in self._open])

    def cut(self) -> None:
        """Reset all connections of now; new ones are passed on."""
        self._call(lambda: [one.reset() for one in self._open])

    def refuse(self) -> None:
        """Reset all connections of now, and every new one."""
        self._refuses = True
        self.cut()

    def accept(self) -> None:
        """Pass new connections on again."""
        self._refuses = False

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _do(self, step: Callable[[], Awaitable[None]]) -> None:
        async def done() -> None:
            await step()

        asyncio.run_coroutine_threadsafe(done(), self._loop).result(START_SECONDS)

    def _call(self, step: Callable[[], object]) -> None:
        async def done() -> None:
            step()

        self._do(done)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self._socket)

    async def _end(self) -> None:
        self._server.close()
        tasks = [one.task for one in self._open]
        for one in list(self._open):
            one.reset()
            one.task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served in a task"
        one = _Connection(task, writer)
        if self._refuses:
            one.reset()
            return
        self._open.add(one)
        try:
            await self._flowing.wait()
            there, to = await asyncio.open_connection("127.0.0.1", self._to_port)
            one.writers.append(to)
            await self._pass_on(one, reader, to, there, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the server is not there, or the proxy is being stopped
        finally:
            self._open.discard(one)
            one.close()

    async def _pass_on(
        self,
        one: _Connection,
        reader: asyncio.StreamReader,
        to: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Pass on both ways until one side has ended."""
        ways = [
            asyncio.create_task(self._pump(one, reader, to, answers=False)),
            asyncio.create_task(self._pump(one, there, writer, answers=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pump(
        self, one: _Connection, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                await asyncio.sleep(self.delay_seconds + len(data) / (self.bytes_per_second or float("inf")))
                await self._flowing.wait()
                await one.is_heard()
                if not (answers and self.loses_answers):
                    to.write(data)
                    await to.drain()
            await self._flowing.wait()  # an end is not heard of either
            await one.is_heard()


class _Connection:
    """One connection of a client, with ours to the server."""

    def __init__(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        self.task = task
        self.writers = [writer]
        self._abandoned = False

    def abandon(self) -> None:
        self._abandoned = True

    def forget_server(self) -> None:
        if self._abandoned:
            for writer in self.writers[1:]:
                writer.transport.abort()

    def reset(self) -> None:
        for writer in self.writers:
            connected: socket.socket | None = writer.get_extra_info("socket")
            if connected is not None and not writer.is_closing():
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def close(self) -> None:
        for writer in self.writers:
            writer.close()

    async def is_heard(self) -> None:
        """Return, unless this connection is to be silent for ever."""
        if self._abandoned:
            await asyncio.Event().wait()
