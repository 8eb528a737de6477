"""Does any attack that we know reach the judge's model as an order?"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from functools import partial
from typing import Literal

import click
import msgspec
from rich.table import Table
from rich.text import Text

from healing_eval.cli.exits import JUDGEMENT, NOT_ENOUGH_DATA
from healing_eval.cli.memory import collect_rarely
from healing_eval.cli.output import echo
from healing_eval.cli.styles import stdout_console
from healing_eval.cli.text import count_of
from healing_eval.config import Settings, read_settings
from healing_eval.formats.limits import WireLimits
from healing_eval.panel import Instead, Panel, build_cache, build_panel
from healing_eval.ports.chat_model import ChatModel
from healing_eval.telemetry import configure_logging
from healing_eval.testing.redteam.form import REMEMBERED, Form
from healing_eval.testing.redteam.readers import CARELESS
from healing_eval.testing.redteam.report import Detected, Escape, Report
from healing_eval.testing.redteam.run import run_redteam

SHOWN_ESCAPES = 50


@click.command()
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A report for people, or one JSON object.",
)
@click.pass_context
def redteam(ctx: click.Context, style: Literal["table", "json"]) -> None:
    """Attack the judge with conversations that give orders, and name every one that is obeyed.

    The attacks are ours, a few thousand of them, and go through the evaluators as they are set here. The configured
    model is not asked and nothing leaves this machine: a model in this process obeys whatever it finds outside the
    data. An attack has escaped when the judge's findings are not those about the same conversation with a harmless
    text in its place, or when its order stands outside the data.

    \b
    Exit codes:
      0  no attack escaped
      1  some escaped
      2  wrong usage or settings
      3  nothing was tried: the judge asked its model about no conversation
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    settings = read_settings()
    configure_logging("critical", settings.log.format)  # an attack that breaks an evaluator is told in the report
    collect_rarely()
    started = time.monotonic()
    limits = WireLimits(settings.limits.batch, settings.limits.turns, settings.limits.id_characters)
    attacked = run_redteam(partial(panel_in_form, settings), limits, secrets.token_hex(16))
    report = asyncio.run(attacked)
    if style == "json":
        echo(msgspec.json.encode(report))
    else:
        print_redteam(report, time.monotonic() - started)
    ctx.exit(exit_code_of(report))


def panel_in_form(settings: Settings, model: ChatModel, form: Form) -> Panel:
    """Make the evaluators as they are set, but for how many conversations are asked about in one prompt."""
    tables = {
        name: {**settings.evaluators.get(name, {}), "conversations_per_prompt": form.in_a_prompt}
        for name in form.judges
    }
    in_form = settings.model_copy(update={"evaluators": {**settings.evaluators, **tables}, "cache_url": "memory://"})
    cache = build_cache(in_form) if form is REMEMBERED else None
    return build_panel(in_form, form.judges if form.is_alone_on_panel else (), instead=Instead(model, cache))


def exit_code_of(report: Report) -> int:
    """Decide the exit code, and say why when nothing was tried."""
    if report.escapes:
        return JUDGEMENT
    untried = [one.form for one in report.forms if not (one.asked and one.control.found)]
    if report.forms and not untried:
        return 0
    click.echo(f"not enough data: nothing came of the red team's attacks on: {'; '.join(untried)}", err=True)
    return NOT_ENOUGH_DATA


def print_redteam(report: Report, seconds: float) -> None:
    """Print the report for people."""
    console = stdout_console()
    attacks = count_of(sum(one.attacks for one in report.forms), "attack")
    tried = f"{attacks} in {seconds:.1f} s; the door refused {report.refused:,}"
    console.print(Text.assemble(("Red team", "bold"), f"  {tried}"))
    style = "bold red" if report.escapes else "green"
    console.print(Text.assemble(("Escapes ", "bold"), (f"  {len(report.escapes):,}", style)))
    for one in report.escapes[:SHOWN_ESCAPES]:
        console.print(_escape_line(one))
    if len(report.escapes) > SHOWN_ESCAPES:
        console.print(f"          and {len(report.escapes) - SHOWN_ESCAPES:,} more; --format json names all")
    control = f"  without a fence the model obeyed {report.control.found:,} of {report.control.texts:,}"
    console.print(Text.assemble(("Control ", "bold"), control))
    for name in CARELESS:
        line = f"          {report.fooled.get(name, 0):,} would fool a model that goes by {_CARELESSNESS[name]}"
        console.print(Text(line, style="dim"))
    console.print()
    console.print(_forms(report))
    console.print()
    console.print(_table(report))
    console.print(
        Text(
            "The detector was written with these texts in view: expect less on others. It changes no score.",
            style="dim",
        )
    )


_CARELESSNESS = {
    "decoded tag": "tags which it decodes from escapes, whatever their nonce",
    "phrase": "words of our own prompt, wherever they stand",
}


def _escape_line(one: Escape) -> Text:
    return Text.assemble(
        "          ", (f"{one.family}/{one.variant}", "red"), f" at {one.place}: {one.how}; {one.form}"
    )


def _forms(report: Report) -> Table:
    table = _empty_table("asked", "attacks", "escapes", "control")
    for row in report.forms:
        table.add_row(
            row.form, f"{row.attacks:,}", f"{row.escapes:,}", f"{row.control.found:,} of {row.control.texts:,}"
        )
    return table


def _empty_table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(first)
    for column in others:
        table.add_column(column, justify="right")
    return table


def _table(report: Report) -> Table:
    table = _empty_table("detector", "texts", "suspected", "share")
    for row in report.by_family:
        table.add_row(*_cells(row.name, row))
    table.add_row(*_cells("all attacks", _sum(report.by_family)), style="bold")
    table.add_row(*_cells("honest texts", report.benign), style="bold")
    return table


def _sum(rows: Iterable[Detected]) -> Detected:
    counted = list(rows)
    return Detected("all", sum(row.texts for row in counted), sum(row.found for row in counted))


def _cells(name: str, row: Detected) -> tuple[str, str, str, str]:
    share = f"{100 * row.found / row.texts:.1f} %" if row.texts else "–"
    return name, f"{row.texts:,}", f"{row.found:,}", share
