"""How does an application listen, within this event loop?

Granian's embedded server runs in the loop of the caller, beside the workers. Two of its habits are kept away from
users: it shares a port with whoever else asks for it, and it has no error for an address it cannot bind. So the address
is probed and reserved before it starts.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing, suppress

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from litestar.types import ASGIApp

from healing_eval.errors import ConfigError

GRACE_SECONDS = 10.0
"""How long requests in flight may go on after a stop."""

_PROBE_SECONDS = 0.005


async def serve(app: ASGIApp, host: str, port: int, *, ready: Callable[[int], None], shared: bool = False) -> None:
    """Serve until cancelled; then take no more requests, and finish those in flight within the grace period.

    Args:
        app: what answers.
        host: address or name to listen on.
        port: port to listen on; 0 picks a free one.
        ready: told the port as soon as connections are taken.
        shared: whether other processes of ours listen there as well, for whom somebody keeps the address.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    address, reserved = await reserve(host, port, shared=shared)
    with closing(reserved):
        port = reserved.getsockname()[1]
        server = Server(
            app,
            address=address,
            port=port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            log_enabled=False,
        )
        serving = asyncio.create_task(server.serve(), name="http-server")
        try:
            await _until_listening(address, port, serving)
            ready(port)
            await asyncio.shield(serving)
        finally:
            server.stop()
            await _finish(serving)


async def reserve(host: str, port: int, *, shared: bool = False) -> tuple[str, socket.socket]:
    """Find the address and keep its port: bound, so that nobody but ours gets it, and not listening.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        if not shared:
            with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        reserved = socket.socket(family, socket.SOCK_STREAM)
        with suppress(AttributeError):  # where it does not exist, granian does not need it either
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(address)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
    return str(address[0]), reserved


async def _until_listening(address: str, port: int, serving: asyncio.Task[None]) -> None:
    """Wait for the listener, which starts in a thread and tells nobody."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared, not bound
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(reachable, port)
        except OSError:
            await asyncio.sleep(_PROBE_SECONDS)
        else:
            writer.close()
            return
    await serving


async def _finish(serving: asyncio.Task[None]) -> None:
    """Wait, but not for ever; whoever hangs is cut off when the process ends."""
    done, _ = await asyncio.wait({serving}, timeout=GRACE_SECONDS)
    for task in done:
        task.result()
