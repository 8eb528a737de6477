"""How does a process of ours run? With its services open, its parts at work, until somebody tells it to stop."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from healing_eval.cli.loops import groups_unwrapped
from healing_eval.cli.memory import collect_rarely
from healing_eval.cli.stores import opening_store
from healing_eval.config import Settings
from healing_eval.errors import BackendError, ConfigError, PluginError
from healing_eval.wiring import Services, build_services

if TYPE_CHECKING:
    from litestar import Litestar

log = structlog.get_logger()

TRY_EVERY_SECONDS = 2.0
"""How long is waited before a store that could not be reached is tried again."""

Part = Callable[[Services, asyncio.Event], Coroutine[Any, Any, None]]
"""Works until the event is set."""
Listening = Callable[[str], Awaitable[None]]
"""Told the address once it is listened on."""


async def run_parts(
    settings: Settings, *parts: Part, stop: asyncio.Event | None = None, wait_seconds: float = 0.0
) -> None:
    """Open the services and run the parts side by side, until `stop` is set, by SIGTERM or SIGINT if by nobody else.

    Args:
        settings: what to build the services from.
        parts: what runs; when all of them have returned, so does this.
        stop: the word to stop, also while the services are being opened.
        wait_seconds: how long to wait for a store that cannot be reached.

    Raises:
        ConfigError: a setting is wrong.
        BackendError: the store cannot be opened.
    """
    stop = stop or asyncio.Event()
    services = build_services(settings)
    try:
        stop_on_signals(stop)
        if not await _opened(services, stop, wait_seconds):
            return
        collect_rarely()
        with groups_unwrapped():
            async with asyncio.TaskGroup() as running:
                for part in parts:
                    running.create_task(part(services, stop))
    finally:
        await services.close()


async def _opened(services: Services, stop: asyncio.Event, wait_seconds: float) -> bool:
    """Open the services, and return True; or False if told to stop before they were open."""
    opening = asyncio.create_task(_open_patiently(services, wait_seconds))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([opening, stopped], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        opening.cancel()
    with suppress(asyncio.CancelledError):
        await opening
    return not opening.cancelled()


async def _open_patiently(services: Services, wait_seconds: float) -> None:
    """Open the services, again and again while the store cannot be reached, since it may be starting as well."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_seconds
    while True:
        try:
            with opening_store(services.settings):
                await services.open()
        except BackendError as error:
            left = deadline - loop.time()
            if wait_seconds and left <= 0:
                raise BackendError(f"{error}; waited for {wait_seconds:g} s (store_wait_seconds)") from error
            if left <= 0:
                raise
            log.warning("store.unreachable", error=str(error), waiting_seconds=round(left, 1))
            await asyncio.sleep(min(TRY_EVERY_SECONDS, left))
        else:
            return


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set `stop` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)


async def listen(
    app: Litestar, host: str, port: int, stop: asyncio.Event, on_listening: Listening, *, shared: bool = False
) -> None:
    """Serve an application until `stop` is set, and set it when that ends otherwise.

    Args:
        app: what answers.
        host: address or name to listen on.
        port: port to listen on; 0 picks a free one.
        stop: the word to stop.
        on_listening: told the address.
        shared: whether other processes of ours listen on the same port.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    from healing_eval.api.server import serve  # noqa: PLC0415 - needs the extra `server`

    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(app, host, port, ready=listening.set_result, shared=shared))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([listening, server, stopped], return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            await on_listening(address_of(host, listening.result()))
        await asyncio.wait([server, stopped], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        stopped.cancel()
        server.cancel()
        with suppress(asyncio.CancelledError):
            await _told_what_to_do(server)


async def _told_what_to_do(server: asyncio.Task[None]) -> None:
    try:
        await server
    except ConfigError as error:
        raise ConfigError(f"{error}; {_advice_on(error.__cause__)}") from error


def _advice_on(error: BaseException | None) -> str:
    """Say what to do where nobody can listen."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return "stop what listens there, or choose another port with --port or HEALING_EVAL_PORT (0: a free one)"
    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return "choose a port above 1023 with --port or HEALING_EVAL_PORT"
    return "choose an address of this machine with HEALING_EVAL_HOST, such as 127.0.0.1"


def address_of(host: str, port: int) -> str:
    """Write the address as a URL."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def require_server_extra() -> None:
    """Refuse before anything is made when the libraries that serve are not installed.

    Raises:
        PluginError: they are not; names the extra.
    """
    try:
        import_module("healing_eval.api.app")  # needed by some verbs only, and not quick to import
    except ImportError as error:
        raise PluginError(f"{error}; to serve, install the extra: pip install 'healing-eval[server]'") from error


def require_servers(settings: Settings) -> None:
    """Refuse a store or a stream that lives within one process.

    Raises:
        ConfigError: one of them does.
    """
    needs = (
        ("store_url", settings.effective_store_url, "sqlite", "postgresql://user@host/database"),
        ("stream_url", settings.stream_url, "memory", "redis://host"),
    )
    for name, url, embedded, expected in needs:
        if urlsplit(url).scheme == embedded:
            raise ConfigError(
                f"setting {name!r} is {embedded}, which is for one process only; set it to {expected}, or use "
                "`healing-eval up`, which needs no servers"
            )
