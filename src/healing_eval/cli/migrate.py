"""Which schema has the store, and bring it up to date."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from pathlib import Path

import click
import msgspec

from healing_eval.cli.exits import JUDGEMENT
from healing_eval.cli.output import echo
from healing_eval.cli.store_verbs import data_option, format_option, settings_for
from healing_eval.cli.stores import opening_store, store_file
from healing_eval.config import Settings
from healing_eval.wiring import build_ledger


class Migrated(msgspec.Struct, frozen=True):
    """From which version of the schema to which; None: there was none."""

    before: str | None
    after: str | None
    wanted: str


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 when a migration is missing.")
@data_option
@format_option
@click.pass_context
def migrate(ctx: click.Context, check: bool, data_dir: Path | None, style: str) -> None:
    """Bring the store's schema up to date.

    Servers do so themselves when they start; of all that ask at the same time, one does it and the others wait. A
    program works on the schema of the version after its own as well, so migrate first, then replace the processes.
    """
    settings = settings_for(data_dir)
    found = asyncio.run(_check(settings) if check else _migrate(settings))
    missing = found.after != found.wanted
    echo(msgspec.json.encode(found) if style == "json" else _line(found, missing))
    ctx.exit(JUDGEMENT if missing else 0)


def _line(found: Migrated, missing: bool) -> str:
    if missing:
        return f"the schema is {found.before or 'not there yet'}, and {found.wanted} is needed: healing-eval migrate"
    if found.before == found.after:
        return f"the schema is {found.after}, which is up to date"
    return f"the schema was {found.before or 'not there'}, and is now {found.after}"


async def _check(settings: Settings) -> Migrated:
    file = store_file(settings)
    ledger = build_ledger(settings)
    try:
        with opening_store(settings) if file is None or file.exists() else nullcontext():  # opening would make it
            found = await ledger.schema()
    finally:
        await ledger.close()
    return Migrated(found.stored, found.stored, found.wanted)


async def _migrate(settings: Settings) -> Migrated:
    ledger = build_ledger(settings)
    try:
        with opening_store(settings):
            before = await ledger.schema()
            await ledger.open()
            after = await ledger.schema()
    finally:
        await ledger.close()
    return Migrated(before.stored, after.stored, after.wanted)
