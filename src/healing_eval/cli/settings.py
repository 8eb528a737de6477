"""Which settings are in force here, and where does each come from?"""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.table import Table
from rich.text import Text

from healing_eval.cli.output import echo
from healing_eval.cli.styles import stdout_console
from healing_eval.cli.text import plain
from healing_eval.config import PREFIX, TOML_FILE, describe, read_settings
from healing_eval.masking import masked


class SettingLine(msgspec.Struct, frozen=True):
    """One setting as it is shown."""

    name: str
    environment: str
    """The environment variable that sets it."""
    value: Any
    source: str
    description: str


@click.command()
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
def settings(style: str) -> None:
    """Show every setting, its value and where it came from.

    The first of these that has a value wins: arguments, HEALING_EVAL_* in the environment (__ nests),
    healing-eval.toml in this folder, the default. Secrets are masked.
    """
    lines = [
        SettingLine(name, PREFIX + name.upper().replace(".", "__"), masked(value, name), source, description)
        for name, value, source, description in describe(read_settings())
    ]
    if style == "json":
        echo(msgspec.json.encode(lines))
    else:
        _print(lines)


def _print(lines: list[SettingLine]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("setting", "value", "from", "meaning"):
        table.add_column(column, overflow="fold", vertical="top")
    for line in lines:
        changed = line.source != "default"
        shown = "–" if line.value is None else plain(line.value)
        table.add_row(
            Text(line.name, style="bold" if changed else ""),
            Text(shown, style="cyan" if changed else ""),
            Text(line.source, style="" if changed else "dim"),
            Text(line.description, style="dim"),
        )
    console = stdout_console()
    console.print(table)
    console.print()
    console.print(
        Text(f"Set a name such as judge.model as {PREFIX}JUDGE__MODEL or under [judge] in {TOML_FILE}.", style="dim")
    )
