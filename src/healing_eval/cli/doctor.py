"""Can this machine, with these settings, do the work? If not, what has to be done?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec
from rich.table import Table
from rich.text import Text

from healing_eval.cli.check import Check, Status
from healing_eval.cli.checks import all_checks
from healing_eval.cli.exits import JUDGEMENT
from healing_eval.cli.output import echo
from healing_eval.cli.styles import stdout_console
from healing_eval.cli.text import count_of, plain
from healing_eval.config import read_settings
from healing_eval.errors import ConfigError

STYLES: dict[Status, str] = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@click.command()
@click.option("--online", is_flag=True, help="Also ask each deployment once; costs a few tokens.")
@click.option("--data", "data_dir", type=click.Path(path_type=Path), help="Folder of the store.")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def doctor(ctx: click.Context, online: bool, data_dir: Path | None, style: str) -> None:
    """Check that this machine and these settings can work, and say what to do where they cannot.

    Exits with 1 when something fails; warnings do not count.
    """
    checks = list(examine(data_dir, online=online))
    if style == "json":
        echo(msgspec.json.encode(checks))
    else:
        _print(checks)
    ctx.exit(JUDGEMENT if any(check.status == "fail" for check in checks) else 0)


def examine(data_dir: Path | None, *, online: bool) -> Iterator[Check]:
    """Read the settings, then look at all they lead to; with wrong settings there is nothing more to look at."""
    try:
        settings = read_settings(**({} if data_dir is None else {"data_dir": data_dir}))
    except ConfigError as error:
        yield Check("settings", "fail", str(error), "correct it, or leave it out to have the default")
        return
    yield Check("settings", "ok", "valid")
    yield from all_checks(settings, online=online)


def _print(checks: Sequence[Check]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for check in checks:
        told = Text(plain(check.detail, 400))
        if check.advice:
            told.append(f"\n→ {check.advice}", style="cyan")
        table.add_row(Text(check.status, style=STYLES[check.status]), Text(check.name), told)
    console = stdout_console()
    console.print(table)
    failed = sum(check.status == "fail" for check in checks)
    console.print()
    console.print(Text(f"{count_of(failed, 'check')} failed", style="bold red") if failed else Text("ready to work"))
