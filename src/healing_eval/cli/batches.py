"""What has been handed in at providers as batches, how far is it, and can it be stopped?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.table import Table
from rich.text import Text

from healing_eval.cli.output import echo
from healing_eval.cli.store_verbs import data_option, format_option, settings_for, with_ledger
from healing_eval.cli.styles import stdout_console
from healing_eval.cli.text import count_of, plain
from healing_eval.config import Settings
from healing_eval.errors import NotFound
from healing_eval.ports.batch_work import Batch, BatchWork, Waiting
from healing_eval.ports.ledger import Ledger
from healing_eval.wiring import build_batch_work

T = TypeVar("T")


class BatchLine(msgspec.Struct, frozen=True):
    """A batch as it is shown."""

    id: str
    deployment: str
    model: str
    state: str
    """made, handed in, stopping, ended."""
    questions: int
    answered: int | None
    """None until it has ended."""
    created_at: datetime
    age_seconds: float
    provider_id: str | None
    reason: str | None
    """Why what it did not answer was not answered."""


class Listed(msgspec.Struct, frozen=True):
    """What there is."""

    waiting: Sequence[Waiting]
    """Questions that are in no batch yet."""
    batches: Sequence[BatchLine]


@click.group()
def batches() -> None:
    """Show the batches that providers answer for less, or stop them.

    What evaluators ask that are named in the setting batches.not_urgent is gathered into them.
    """


@batches.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that have ended in the last month as well.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most batches to show.")
@data_option
@format_option
def list_all(everything: bool, limit: int, data_dir: Path | None, style: str) -> None:
    """List batches and what waits for one; those that have not ended oldest first, with --all the newest first."""

    async def look(work: BatchWork) -> Listed:
        found = await work.batches(ended=everything, limit=limit)
        return Listed(await work.waiting(), [_line(one) for one in found])

    listed = _with_work(settings_for(data_dir), look)
    if style == "json":
        echo(msgspec.json.encode(listed))
        return
    for one in listed.waiting:
        echo(f"{count_of(one.questions, 'question')} to {plain(one.pool, 100)} in no batch yet")
    if listed.batches:
        _print(listed.batches)
    else:
        echo("no batches" if everything else "no batches that have not ended")


@batches.command()
@click.argument("batch_ids", metavar="ID…", nargs=-1, required=True)
@data_option
@format_option
def cancel(batch_ids: Sequence[str], data_dir: Path | None, style: str) -> None:
    """Stop the batches ID…, as shown by list.

    The workers tell the provider. What it has answered by then is kept and paid for; the rest is asked at once, in the
    ordinary way. Exits with 2 if one of them is unknown or has ended; the others are stopped all the same.
    """
    wanted = list(dict.fromkeys(batch_ids))

    async def stop(work: BatchWork) -> list[str]:
        return [one for one in wanted if not await work.cancel(one)]

    unknown = _with_work(settings_for(data_dir), stop)
    count = len(wanted) - len(unknown)
    if style == "json":
        echo(msgspec.json.encode({"count": count}))
    else:
        echo(f"{count_of(count, 'batch', 'batches')} to be stopped; the workers do so when they look next")
    if unknown:
        named = ", ".join(repr(plain(one, 100)) for one in unknown[:10])
        raise NotFound(f"no batch {named} that has not ended")


def _with_work(settings: Settings, act: Callable[[BatchWork], Awaitable[T]]) -> T:
    """Open the store, and do something with the batches in it."""

    async def run(_: Ledger) -> T:
        work = build_batch_work(settings)
        try:
            return await act(work)
        finally:
            await work.close()

    return with_ledger(settings, run)


def _line(batch: Batch) -> BatchLine:
    return BatchLine(
        id=batch.batch_id,
        deployment=batch.deployment,
        model=batch.pool,
        state=_state(batch),
        questions=batch.questions,
        answered=batch.answered,
        created_at=batch.created_at,
        age_seconds=batch.age_seconds,
        provider_id=batch.provider_id,
        reason=batch.reason,
    )


def _state(batch: Batch) -> str:
    if batch.ended:
        return "ended"
    if batch.cancelled:
        return "stopping"
    return "made" if batch.provider_id is None else "handed in"


def _print(lines: Sequence[BatchLine]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("id", "deployment", "state", "questions", "answered", "since", "at the provider", "reason"):
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(
            Text(plain(line.id, 60), style="bold"),
            Text(plain(line.deployment, 64)),
            Text(line.state),
            Text(f"{line.questions:,}"),
            Text("" if line.answered is None else f"{line.answered:,}"),
            Text(f"{line.created_at:%Y-%m-%d %H:%M}", style="dim"),
            Text(plain(line.provider_id or "", 60)),
            Text(plain(line.reason or "")),
        )
    stdout_console().print(table)
