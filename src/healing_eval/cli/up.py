"""How is everything started with one command? API and workers in one process, on the embedded store."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING

import click

from healing_eval.cli.loops import groups_unwrapped, run_fast
from healing_eval.cli.stores import opening_store
from healing_eval.config import Settings, read_settings
from healing_eval.errors import ConfigError, PluginError
from healing_eval.masking import masked
from healing_eval.pipeline.access import check_binding
from healing_eval.telemetry import configure_logging
from healing_eval.wiring import Services, build_services
from healing_eval.worker.alone import working_alone
from healing_eval.worker.crew import run_crew

if TYPE_CHECKING:
    from litestar import Litestar

Ready = Callable[[str, Services], Awaitable[None]]
"""Called with the server's address once it listens."""


@click.command()
@click.option("--host", help="Address to listen on; anything but loopback needs an API key.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one.")
@click.option("--data", "data_dir", type=click.Path(file_okay=False, path_type=Path), help="Folder of the store.")
def up(host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Run API and workers in one process, on SQLite, until interrupted."""
    given = {"host": host, "port": port, "data_dir": data_dir}
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    configure_logging(settings.log.level, settings.log.format)
    run_fast(run(settings, announce))


async def run(settings: Settings, on_ready: Ready, stop: asyncio.Event | None = None) -> None:
    """Serve and work until `stop` is set, by SIGTERM or SIGINT if by nobody else.

    Raises:
        ConfigError: a setting is wrong, the address is taken or may not be bound without API keys, or another process
            works on the store.
        PluginError: the extra `server` is not installed.
        BackendError: the store cannot be opened.
    """
    _api()  # refuses what is not installed before anything is made
    with working_alone(settings.effective_store_url):
        await _run(settings, on_ready, stop)


async def _run(settings: Settings, on_ready: Ready, stop: asyncio.Event | None) -> None:
    stop = stop or asyncio.Event()
    services = build_services(settings)
    with opening_store(settings):
        await services.open()
    try:
        check_binding(settings.host, keys_exist=bool(await services.catalog.list_keys()))
        _stop_on_signals(stop)
        with groups_unwrapped():
            await _serve_and_work(services, on_ready, stop)
    finally:
        await services.close()


async def _serve_and_work(services: Services, on_ready: Ready, stop: asyncio.Event) -> None:
    create_app, serve = _api()
    host, port = services.settings.host, services.settings.port
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def listen() -> None:
        try:
            await serve(create_app(services), host, port, ready=listening.set_result)
        except ConfigError as error:
            raise ConfigError(f"{error}; {_advice_on(error.__cause__)}") from error

    async with asyncio.TaskGroup() as running:
        server = running.create_task(listen())
        crew = running.create_task(run_crew(services, stop))
        await asyncio.wait([listening, server], return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            await on_ready(_address(host, listening.result()), services)
        await _wait_for_any(stop, server, crew)
        stop.set()
        server.cancel()


def _advice_on(error: BaseException | None) -> str:
    """Say what to do where nobody can listen."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return "stop what listens there, or choose another port with --port or HEALING_EVAL_PORT (0: a free one)"
    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return "choose a port above 1023 with --port or HEALING_EVAL_PORT"
    return "choose an address of this machine with HEALING_EVAL_HOST, such as 127.0.0.1"


def _api() -> tuple[Callable[[Services], Litestar], Callable[..., Coroutine[None, None, None]]]:
    try:
        # The libraries of the extra `server` are needed by these verbs only, and they are not quick to import.
        from healing_eval.api.app import create_app  # noqa: PLC0415
        from healing_eval.api.server import serve  # noqa: PLC0415
    except ImportError as error:
        raise PluginError(f"{error}; to serve, install the extra: pip install 'healing-eval[server]'") from error
    return create_app, serve


async def _wait_for_any(stop: asyncio.Event, *tasks: asyncio.Task[None]) -> None:
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def announce(address: str, services: Services) -> None:
    """Say in one screen where everything is."""
    settings = services.settings
    names = ", ".join(one.name for one in services.panel.evaluators if "model" not in one.needs)
    judge = settings.judge.model or "not measured: no model configured (set HEALING_EVAL_JUDGE__MODEL)"
    lines = (
        f"Healing Eval listens on {address}",
        f"  send      POST {address}/api/v1/conversations",
        f"  store     {masked(settings.effective_store_url)}",
        f"  checks    {names}",
        f"  judge     {judge}",
        "  stop      Ctrl-C; nothing accepted is lost",
    )
    click.echo("\n".join(lines), err=True)  # at once, so that whoever waits for the first line has them all
