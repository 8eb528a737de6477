"""What would other models cost or save, evaluator by evaluator?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from healing_eval.cli.advise.comparison import compare
from healing_eval.cli.advise.proposal import (
    Plan,
    asking_evaluators,
    example_plans,
    plans_for,
    read_proposal,
)
from healing_eval.cli.advise.report import print_report, report_on
from healing_eval.cli.advise.sizes import SizesOf, sizes_in_file, stored_sizes, told_sizes
from healing_eval.cli.exits import NOT_ENOUGH_DATA
from healing_eval.cli.output import echo
from healing_eval.cli.store_verbs import data_option, format_option, settings_for
from healing_eval.config import Settings
from healing_eval.errors import ConfigError

_file = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--table", type=_file, help="A TOML file with the table [models] that is proposed.")
@click.option(
    "--model", "single", multiple=True, metavar="EVALUATOR=MODEL", help="PROVIDER:MODEL or a pool; repeatable."
)
@click.option("--example", is_flag=True, help="Compare the scaling strategy's own table with what it replaces.")
@click.option("--tokens", "told", multiple=True, metavar="[EVALUATOR=]IN,OUT", help="Tokens of an evaluation.")
@click.option("--results", type=_file, help="Take tokens from what 'evaluate --format json' wrote.")
@click.option("--project", default="default", show_default=True, help="Whose stored evaluations tell the tokens.")
@click.option("--days", type=click.IntRange(1, 3650), default=7, show_default=True, help="How old they may be.")
@click.option(
    "--per-minute",
    type=click.FloatRange(0, 1e9, min_open=True),
    metavar="N",
    help="Add up a month of so many conversations a minute.",
)
@data_option
@format_option
@click.pass_context
def models(  # noqa: PLR0913 - one for each option
    ctx: click.Context,
    table: Path | None,
    single: Sequence[str],
    example: bool,
    told: Sequence[str],
    results: Path | None,
    project: str,
    days: int,
    per_minute: float | None,
    data_dir: Path | None,
    style: str,
) -> None:
    """Say what other models would cost or save, at today's prices.

    Compares what each evaluator asks now, by judge.model and [models], with what --table and --model propose. Tokens
    are as measured on the newest evaluations in the store, or in --results, or as told by --tokens. Where they are not
    known, the prices alone tell between which factors the cost changes. No model is asked, and no key is needed.

    \b
    Exit codes:
      0    it is said what the proposal saves or costs
      2    wrong usage or settings, or a table that is none
      3    a price or size is not known, so that it cannot be said
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    if example == bool(table or single):
        raise ConfigError("nothing to compare, or too much: give --table or --model or both, or else --example alone")
    settings = settings_for(data_dir)
    plans = _plans(settings, table, single, example=example)
    sizes = _sizes(settings, [plan for plan in plans if plan.is_there or told], told, results, project, days)
    now = datetime.now(UTC)
    report = report_on(compare(settings, plans, sizes, now), now, per_minute, is_example=example)
    if style == "json":
        echo(msgspec.json.encode(report))
    else:
        print_report(report, per_minute)
    ctx.exit(0 if report.is_known else NOT_ENOUGH_DATA)


def _plans(settings: Settings, table: Path | None, single: Sequence[str], *, example: bool) -> list[Plan]:
    asking = asking_evaluators()
    return list(example_plans(asking)) if example else plans_for(settings, read_proposal(table, single), asking)


def _sizes(
    settings: Settings, plans: Sequence[Plan], told: Sequence[str], results: Path | None, project: str, days: int
) -> SizesOf:
    """Take what is told, and for the rest what was measured."""
    names = [plan.evaluator for plan in plans]
    sizes = told_sizes(told, names)
    rest = [name for name in names if name not in sizes]
    measured = stored_sizes(settings, project, rest, days) if results is None else sizes_in_file(results, rest)
    return {**measured, **sizes}
