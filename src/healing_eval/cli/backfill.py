"""What was not measured, and may it be measured now?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import click
import msgspec
from rich.table import Table
from rich.text import Text

from healing_eval.cli.output import echo
from healing_eval.cli.store_verbs import data_option, format_option, settings_for, with_ledger
from healing_eval.cli.styles import stdout_console
from healing_eval.cli.text import count_of, plain
from healing_eval.config import Settings
from healing_eval.domain.unmeasured import Why
from healing_eval.errors import ConfigError
from healing_eval.panel import Panel, build_panel
from healing_eval.pipeline.access import DEFAULT_PROJECT
from healing_eval.pipeline.backfill import Backfilled, Wanted
from healing_eval.pipeline.backfill import backfill as fill
from healing_eval.pipeline.retain import first_kept
from healing_eval.ports.ledger import Ledger
from healing_eval.wiring import build_stream

REASONS: tuple[Why, ...] = get_args(Why)

_moment = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


class Report(msgspec.Struct, frozen=True):
    """What was found, or opened."""

    opened: bool
    evaluators: tuple[Backfilled, ...]
    kept_since: datetime | None
    """What was accepted before this is archived or dropped, and cannot be reached; None: nothing is."""

    @property
    def count(self) -> int:
        """How many conversations, of all evaluators together."""
        return sum(one.count for one in self.evaluators)


@click.command()
@click.option("--project", default=DEFAULT_PROJECT, show_default=True, help="Project they are in.")
@click.option("--evaluator", "only", multiple=True, metavar="NAME", help="Only for this evaluator; repeatable.")
@click.option(
    "--reason",
    "why",
    type=click.Choice(REASONS),
    multiple=True,
    help="Only what was left out for this reason; repeatable. Without it, for any of them.",
)
@click.option("--since", type=_moment, metavar="DATE", help="Only what was accepted from then on, UTC.")
@click.option("--until", type=_moment, metavar="DATE", help="Only what was accepted before that, UTC.")
@click.option(
    "--limit", type=click.IntRange(1), default=10_000, show_default=True, help="Most conversations; the oldest first."
)
@click.option("--dry-run", is_flag=True, help="Only count them, and tell what they may cost.")
@data_option
@format_option
def backfill(only: Sequence[str], dry_run: bool, data_dir: Path | None, style: str, **chosen: Any) -> None:
    """Have evaluated what evaluators that ask a model did not measure.

    A budget was spent, the model failed for too long, or there was none. The latest revision of each such conversation
    goes to the workers again, within the budgets that are set now; what is measured then takes the place of what was
    missing, and the verdict is rewritten. What the others of its evaluators that ask a model have measured is kept.
    """
    settings = settings_for(data_dir)
    wanted = _wanted(**chosen)

    async def act(ledger: Ledger) -> Report:
        panel = build_panel(settings)
        stream = None if urlsplit(settings.stream_url).scheme == "memory" else build_stream(settings)
        try:
            found = fill(ledger, stream, _lanes(panel, only), wanted, dry_run=dry_run)
            evaluators = tuple([one async for one in found])
            return Report(not dry_run, evaluators, await _kept_since(settings, ledger, wanted))
        finally:
            await panel.close()
            if stream is not None:
                await stream.close()

    report = with_ledger(settings, act)
    if style == "json":
        echo(msgspec.json.encode(report))
    else:
        _print(report, settings)


def _wanted(project: str, why: Sequence[Why], since: datetime | None, until: datetime | None, limit: int) -> Wanted:
    return Wanted(
        project=project,
        why=tuple(why) or REASONS,
        accepted_from=since and since.replace(tzinfo=UTC),
        accepted_before=until and until.replace(tzinfo=UTC),
        limit=limit,
    )


def _lanes(panel: Panel, only: Sequence[str]) -> dict[str, str]:
    """Name the lanes of the evaluators that can be asked now.

    Raises:
        ConfigError: there is none, or one that was named cannot be asked.
    """
    asking = {one.name: panel.lane_of(one) for one in panel.evaluators if panel.asks_a_model(one)}
    for name in only:
        if name not in asking:
            known = f"those that do: {', '.join(asking)}" if asking else "no evaluator does; set judge.model"
            raise ConfigError(
                f"--evaluator {plain(name, 60)!r} asks no model, so nothing can be measured by it; {known}"
            )
    if not asking:
        raise ConfigError(
            "no evaluator asks a model, so nothing that is missing can be measured; set judge.model, such as"
            " HEALING_EVAL_JUDGE__MODEL=openai:gpt-4o-mini"
        )
    return {name: lane for name, lane in asking.items() if not only or name in only}


async def _kept_since(settings: Settings, ledger: Ledger, wanted: Wanted) -> datetime | None:
    """Tell from when on conversations are still in the store, if older ones were asked for."""
    months = settings.retention.keep_months
    if months is None:
        return None
    begins = first_kept(await ledger.now(), months).begins
    return begins if wanted.accepted_from is None or wanted.accepted_from < begins else None


def _print(report: Report, settings: Settings) -> None:
    if report.count:
        _print_table(report)
    else:
        echo("nothing was left out that could be measured now")
    if report.kept_since is not None:
        echo(f"what was accepted before {report.kept_since:%Y-%m-%d} is archived or dropped, and not looked at")
    if report.count and report.opened:
        ringing = (
            ""
            if urlsplit(settings.stream_url).scheme != "memory"
            else (f"; running workers begin within {settings.worker.sweep_every_seconds:g} s")
        )
        echo(f"{count_of(report.count, 'conversation')} opened again{ringing}")
    elif report.count:
        echo(f"{count_of(report.count, 'conversation')} would be opened again")


def _print_table(report: Report) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("evaluator")
    for reason in REASONS:
        table.add_column(reason, justify="right")
    table.add_column("may cost")
    for one in report.evaluators:
        table.add_row(
            Text(plain(one.evaluator, 60), style="bold"),
            *(Text(f"{one.conversations.get(reason, 0):,}") for reason in REASONS),
            Text(_cost(one)),
        )
    stdout_console().print(table)


def _cost(one: Backfilled) -> str:
    if one.estimated_dollars is None:
        return "not known: no evaluation has a known cost"
    return f"${one.estimated_dollars:,.4g}, by the mean of {count_of(one.costs_known, 'evaluation')}"
