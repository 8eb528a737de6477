"""How do workers run by themselves, one process or several, beside an API that others serve?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import click

from healing_eval.cli.alive import under_parent
from healing_eval.cli.loops import run_fast
from healing_eval.cli.processes import run_processes
from healing_eval.cli.running import listen, require_server_extra, require_servers, run_parts, stop_on_signals
from healing_eval.config import Settings, read_settings
from healing_eval.errors import ConfigError
from healing_eval.masking import masked
from healing_eval.panel import build_panel
from healing_eval.telemetry import configure_logging
from healing_eval.wiring import Services
from healing_eval.worker.crew import SLICE_SECONDS, run_crew


@click.command()
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that work.")
@click.option("--concurrency", type=click.IntRange(1), help="Conversations of one process that wait for the model.")
@click.option("--lanes", metavar="NAME,…", help="Work on these lanes only, such as checks; without it on all.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of health and metrics; further processes take the next."
)
@click.option("--parent", type=int, hidden=True, help="File that leads to who started this; without it, it stops.")
def work(processes: int, concurrency: int | None, lanes: str | None, port: int | None, parent: int | None) -> None:
    """Evaluate what `healing-eval serve` takes, until interrupted.

    Needs a store and a stream that processes share: HEALING_EVAL_STORE_URL=postgresql://… and
    HEALING_EVAL_STREAM_URL=redis://…. SIGTERM lets it finish or hand back what it has in hand.
    """
    given = {"judge_concurrency": concurrency, "port": port}
    settings = read_settings(worker={name: value for name, value in given.items() if value is not None})
    configure_logging(settings.log.level, settings.log.format)
    require_server_extra()
    require_servers(settings)
    chosen = _lanes(lanes, settings)
    if processes > 1:
        run_fast(_work_with(processes, settings, chosen))
        return
    crew = partial(run_crew, lanes=chosen, slice_seconds=SLICE_SECONDS)
    parts = partial(run_parts, settings, crew, _serve_operations, wait_seconds=settings.store_wait_seconds)
    run_fast(under_parent(parent, lambda stop: parts(stop=stop)))


def _lanes(named: str | None, settings: Settings) -> tuple[str, ...]:
    """Read the names of lanes.

    Raises:
        ConfigError: no evaluator travels on one of them.
    """
    known = build_panel(settings).lanes
    chosen = tuple(dict.fromkeys(name.strip() for name in named.split(",") if name.strip())) if named else known
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise ConfigError(f"no lane {unknown[0]!r}; known: {', '.join(known)}")
    return chosen


async def _work_with(processes: int, settings: Settings, lanes: Sequence[str]) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    await run_parts(settings, stop=stop, wait_seconds=settings.store_wait_seconds)  # one process tells what is wrong
    if stop.is_set():
        return
    first = settings.worker.port
    ports = [first + place if first else 0 for place in range(processes)]
    shared = ("--concurrency", str(settings.worker.judge_concurrency), "--lanes", ",".join(lanes))
    commands = [("work", "--port", str(port), *shared) for port in ports]
    await run_processes(commands, stop, hung_after_seconds=settings.worker.hung_after_seconds)


async def _serve_operations(services: Services, stop: asyncio.Event) -> None:
    """Answer health checks and give metrics, on a port of the process's own."""
    from healing_eval.api.app import create_operations_app  # noqa: PLC0415 - needs the extra `server`

    settings = services.settings

    async def ready(address: str) -> None:
        lines = (
            f"Healing Eval works; health and metrics on {address}",
            f"  store     {masked(settings.effective_store_url)}",
            f"  stream    {masked(settings.stream_url)}",
        )
        click.echo("\n".join(lines), err=True)

    await listen(create_operations_app(services), settings.host, settings.worker.port, stop, ready)
