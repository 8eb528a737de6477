"""How is the API alone served, by one process or several, where others work?"""

from __future__ import annotations

import asyncio
from contextlib import closing
from functools import partial

import click

from healing_eval.cli.alive import under_parent
from healing_eval.cli.loops import run_fast
from healing_eval.cli.processes import run_processes
from healing_eval.cli.running import address_of, require_server_extra, require_servers, run_parts, stop_on_signals
from healing_eval.cli.up import refuse_strangers, serve_api
from healing_eval.config import Settings, read_settings
from healing_eval.masking import masked
from healing_eval.telemetry import configure_logging
from healing_eval.wiring import Services


@click.command()
@click.option("--host", help="Address to listen on; anything but loopback needs an API key.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that serve.")
@click.option("--parent", type=int, hidden=True, help="File that leads to who started this; without it, it stops.")
def serve(host: str | None, port: int | None, workers: int, parent: int | None) -> None:
    """Serve the API until interrupted; `healing-eval work` evaluates.

    Needs a store and a stream that processes share: HEALING_EVAL_STORE_URL=postgresql://… and
    HEALING_EVAL_STREAM_URL=redis://…. Any number of these may run, on any number of machines.
    """
    given = {"host": host, "port": port}
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    configure_logging(settings.log.level, settings.log.format)
    require_server_extra()
    require_servers(settings)
    if workers > 1:
        run_fast(_serve_with(workers, settings))
        return
    on_ready = _announce if parent is None else _say_nothing
    part = partial(serve_api, on_ready=on_ready, shared=parent is not None)
    parts = partial(run_parts, settings, part, wait_seconds=settings.store_wait_seconds)
    run_fast(under_parent(parent, lambda stop: parts(stop=stop)))


async def _serve_with(workers: int, settings: Settings) -> None:
    """Keep the port for all, and start them once it is known that they can work.

    Raises:
        ConfigError: a setting is wrong, or the address cannot be listened on or not without API keys.
        BackendError: the store cannot be opened.
    """
    from healing_eval.api.server import reserve  # noqa: PLC0415 - needs the extra `server`

    stop = asyncio.Event()
    stop_on_signals(stop)
    with closing(await reserve(settings.host, settings.port)) as reserved:
        await run_parts(settings, refuse_strangers, stop=stop, wait_seconds=settings.store_wait_seconds)
        if stop.is_set():
            return
        port = reserved.getsockname()[1]
        _say(address_of(settings.host, port), settings, workers)
        command = ("serve", "--host", settings.host, "--port", str(port))
        await run_processes([command] * workers, stop, hung_after_seconds=settings.worker.hung_after_seconds)


async def _announce(address: str, services: Services) -> None:
    _say(address, services.settings, 1)


async def _say_nothing(address: str, services: Services) -> None:
    """Leave it to the parent."""


def _say(address: str, settings: Settings, workers: int) -> None:
    lines = (
        f"Healing Eval listens on {address}, {workers} process{'es' if workers > 1 else ''}",
        f"  store     {masked(settings.effective_store_url)}",
        f"  stream    {masked(settings.stream_url)}",
        "  stop      Ctrl-C; nothing accepted is lost",
    )
    click.echo("\n".join(lines), err=True)
