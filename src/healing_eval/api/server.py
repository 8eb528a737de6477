"""How does an application listen, within this event loop?

The server is a guest: signals, logging and the address are ours, so that it starts beside the workers, stops when it is
told to, and says in one line which setting names an address that cannot be had.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, cast

from litestar.types import ASGIApp
from uvicorn import Config, Server

from healing_eval.api.connections import Connection, let_go_of_the_slow
from healing_eval.errors import ConfigError

GRACE_SECONDS = 10.0
"""How long requests in flight may go on after a stop."""
KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle between requests; longer than load balancers keep theirs, so that it is them who
close, and no request meets a connection that is just being closed."""

_TICKS_BETWEEN_LOOKS = 50
"""A tick of the server is a tenth of a second."""


class _Guest(Server):
    """Tells when it listens, and leaves signals to us."""

    def __init__(self, config: Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_BETWEEN_LOOKS == 0:
            let_go_of_the_slow(self.server_state.connections, time.monotonic())
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def serve(app: ASGIApp, host: str, port: int, *, ready: Callable[[int], None], shared: bool = False) -> None:
    """Serve until cancelled; then take no more requests, and finish those in flight within the grace period.

    Args:
        app: what answers.
        host: address or name to listen on.
        port: port to listen on; 0 picks a free one.
        ready: told the port as soon as connections are taken.
        shared: whether other processes of ours listen there as well.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    with closing(await bind(host, port, shared=shared)) as bound:
        server = _Guest(config_of(app), lambda: ready(bound.getsockname()[1]))
        serving = asyncio.create_task(server.serve([bound]), name="http-server")
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await _finish(serving)


def config_of(app: ASGIApp) -> Config:
    """Tell the server what to leave to us."""
    return Config(
        cast("Any", app),
        http=Connection,
        ws="none",
        lifespan="off",
        proxy_headers=False,  # nothing we do depends on who asks, and whoever asks could forge them
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="critical",  # what it would say is in our own log, once, and without content
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(GRACE_SECONDS),
    )


async def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Find the address and take its port, without listening yet.

    Args:
        host: address or name.
        port: 0 picks a free one.
        shared: whether other processes take it as well.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        with ExitStack() as on_error:
            on_error.callback(bound.close)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound.bind(address)
            on_error.pop_all()
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
    return bound


async def reserve(host: str, port: int) -> socket.socket:
    """Keep an address that nobody has for processes of ours, which take it as `shared`.

    Raises:
        ConfigError: the address cannot be had.
    """
    with closing(await bind(host, port)) as free:
        port = free.getsockname()[1]
    return await bind(host, port, shared=True)


async def _finish(serving: asyncio.Task[None]) -> None:
    """Wait, but not for ever; whoever hangs is cut off when the process ends."""
    done, _ = await asyncio.wait({serving}, timeout=GRACE_SECONDS + 1)
    for task in done:
        task.result()
