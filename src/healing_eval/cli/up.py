"""How is everything started with one command? API and workers in one process, on the embedded store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import click

from healing_eval.cli.loops import run_fast
from healing_eval.cli.running import listen, require_server_extra, run_parts
from healing_eval.config import Settings, read_settings
from healing_eval.masking import masked
from healing_eval.pipeline.access import check_binding
from healing_eval.telemetry import configure_logging
from healing_eval.wiring import Services
from healing_eval.worker.alone import working_alone
from healing_eval.worker.crew import run_crew

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
    require_server_extra()
    with working_alone(settings.effective_store_url):
        await run_parts(settings, partial(serve_api, on_ready=on_ready), run_crew, stop=stop)


async def serve_api(services: Services, stop: asyncio.Event, *, on_ready: Ready, shared: bool = False) -> None:
    """Serve the API, the part of it that this process has.

    Raises:
        ConfigError: the address is taken, or may not be bound without API keys.
    """
    from healing_eval.api.app import create_app  # noqa: PLC0415 - needs the extra `server`

    host, port = services.settings.host, services.settings.port
    await refuse_strangers(services, stop)

    async def ready(address: str) -> None:
        await on_ready(address, services)

    await listen(create_app(services), host, port, stop, ready, shared=shared)


async def refuse_strangers(services: Services, _stop: asyncio.Event) -> None:
    """Refuse an address that others reach, while there are no API keys.

    Raises:
        ConfigError: it is one.
    """
    check_binding(services.settings.host, keys_exist=bool(await services.catalog.list_keys()))


async def announce(address: str, services: Services) -> None:
    """Say in one screen where everything is."""
    settings = services.settings
    names = ", ".join(one.name for one in services.panel.evaluators if "model" not in one.needs)
    asked = dict.fromkeys(model.name for models in services.panel.models.values() for model in models)
    judge = ", ".join(asked) or "not measured: no model configured (set HEALING_EVAL_JUDGE__MODEL)"
    lines = (
        f"Healing Eval listens on {address}",
        f"  send      POST {address}/api/v1/conversations",
        f"  store     {masked(settings.effective_store_url)}",
        f"  checks    {names}",
        f"  judge     {judge}",
        "  stop      Ctrl-C; nothing accepted is lost",
    )
    click.echo("\n".join(lines), err=True)  # at once, so that whoever waits for the first line has them all
