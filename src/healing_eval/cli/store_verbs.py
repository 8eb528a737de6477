"""How does a verb work on the store and end? With what it needs opened, and closed again whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from healing_eval.cli.stores import opening_store
from healing_eval.config import Settings, read_settings
from healing_eval.ports.catalog import Catalog
from healing_eval.ports.ledger import Ledger
from healing_eval.telemetry import configure_logging
from healing_eval.wiring import build_catalog, build_ledger

T = TypeVar("T")

data_option = click.option(
    "--data", "data_dir", type=click.Path(file_okay=False, path_type=Path), help="Folder of the store."
)
format_option = click.option(
    "--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True
)


def settings_for(data_dir: Path | None) -> Settings:
    """Read the settings, with the folder that was named, and send events where they say."""
    settings = read_settings(**({} if data_dir is None else {"data_dir": data_dir}))
    configure_logging(settings.log.level, settings.log.format)
    return settings


def with_ledger(settings: Settings, act: Callable[[Ledger], Awaitable[T]]) -> T:
    """Open the ledger and do something with it.

    Raises:
        ConfigError: the store cannot be one.
        BackendError: it does not open, or fails.
    """

    async def run() -> T:
        ledger = build_ledger(settings)
        try:
            with opening_store(settings):
                await ledger.open()
            return await act(ledger)
        finally:
            await ledger.close()

    return asyncio.run(run())


def with_ledger_and_catalog(settings: Settings, act: Callable[[Ledger, Catalog], Awaitable[T]]) -> T:
    """Open both and do something with them.

    Raises:
        ConfigError: the store cannot be one.
        BackendError: it does not open, or fails.
    """

    async def run(ledger: Ledger) -> T:
        catalog = build_catalog(settings)
        try:
            with opening_store(settings):
                await catalog.open()
            return await act(ledger, catalog)
        finally:
            await catalog.close()

    return with_ledger(settings, run)
