"""Which months are older than is kept, and let go of them now."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.table import Table
from rich.text import Text

from healing_eval.cli.output import echo
from healing_eval.cli.store_verbs import data_option, format_option, settings_for, with_ledger
from healing_eval.cli.styles import stdout_console
from healing_eval.config import Settings
from healing_eval.domain.month import Month
from healing_eval.errors import ConfigError
from healing_eval.pipeline.retain import OldMonth, first_kept, list_due
from healing_eval.pipeline.retain import retain as let_go
from healing_eval.ports.ledger import Ledger
from healing_eval.wiring import build_archive, build_lease
from healing_eval.worker.schedule import RETAINING, retain_alone
from healing_eval.worker.turn import Turn

TABLES = ("revisions", "evaluations", "issues", "verdicts", "annotations")


@click.command()
@click.option("--keep-months", type=click.IntRange(1), help="Whole months to keep besides the current one.")
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@click.option("--unevaluated", is_flag=True, help="Drop also what was never evaluated; without it, it is waited for.")
@data_option
@format_option
def retain(keep_months: int | None, dry_run: bool, unevaluated: bool, data_dir: Path | None, style: str) -> None:
    """Archive and drop the months that are older than is kept.

    The workers do so once a day when the setting retention.keep_months is set; with archive_url set, each month is
    archived first. Interrupted, it goes on when asked again.
    """
    settings = settings_for(data_dir)
    months = keep_months or settings.retention.keep_months
    if months is None:
        raise ConfigError(
            "setting 'retention.keep_months' is not set, so everything is kept for ever; expected a number of whole"
            " months, there or with --keep-months"
        )

    async def act(ledger: Ledger) -> tuple[list[OldMonth], Month]:
        before = first_kept(await ledger.now(), months)
        if dry_run:
            return [one async for one in list_due(ledger, before, unevaluated_too=unevaluated)], before
        return await _run(settings, ledger, before, unevaluated), before

    _show(*with_ledger(settings, act), style)


async def _run(settings: Settings, ledger: Ledger, before: Month, unevaluated: bool) -> list[OldMonth]:
    archive, lease = build_archive(settings), build_lease(settings)
    turn = Turn(lease, f"{socket.gethostname()}-{os.getpid()}", RETAINING)
    try:
        return await retain_alone(let_go(ledger, archive, before, unevaluated_too=unevaluated), turn)
    finally:
        await lease.close()
        if archive is not None:
            await archive.close()


def _show(months: Sequence[OldMonth], before: Month, style: str) -> None:
    if style == "json":
        echo(msgspec.json.encode(months))
    elif months:
        _print(months)
    else:
        echo(f"nothing is older than {before}")


def _print(months: Sequence[OldMonth]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("month")
    table.add_column("state")
    for name in ("conversations", *TABLES, "unevaluated"):
        table.add_column(name, justify="right")
    table.add_column("archived", overflow="fold")
    for one in months:
        table.add_row(
            Text(one.month, style="bold"),
            Text(one.state, style="yellow" if one.state == "waits" else ""),
            Text("" if one.conversations is None else f"{one.conversations:,}"),
            *(Text(f"{one.rows.get(name, 0):,}") for name in TABLES),
            Text(f"{one.unevaluated:,}", style="yellow" if one.unevaluated else "dim"),
            Text("" if not one.archived else str(Path(one.archived[0]).parent)),
        )
    stdout_console().print(table)
    if any(one.state == "waits" for one in months):
        echo("what waits goes once it is evaluated; --unevaluated drops it as it is")
