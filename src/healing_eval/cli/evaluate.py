"""Which conversations in these files went wrong, where and why?"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import click

from healing_eval.cli.exits import INTERRUPTED, JUDGEMENT, NOT_ENOUGH_DATA, WRONG_INPUT
from healing_eval.cli.jsonlines import JsonLines
from healing_eval.cli.memory import collect_rarely
from healing_eval.cli.offline import Emit, Evaluated, OfflineRun
from healing_eval.cli.output import writing
from healing_eval.cli.progress import Progress, progress_on
from healing_eval.cli.reading import Reader, Refused, size_of
from healing_eval.cli.report import Facts, hints_for, one_line, print_report
from healing_eval.cli.text import count_of, plain
from healing_eval.config import Settings, read_settings
from healing_eval.panel import Panel, build_panel
from healing_eval.pipeline.summary import Summary
from healing_eval.telemetry import configure_logging

Style = Literal["table", "json"]

SHOWN_REFUSALS = 20


class _Threshold(click.FloatRange):
    """A number in a range; what compares with nothing is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number from {self.min:g} to {self.max:g}.", param, ctx)
        return number


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A report for people, or one JSON line per conversation.",
)
@click.option(
    "--fail-under",
    type=_Threshold(0, 1),
    metavar="SCORE",
    help="Exit with 1 when the mean overall score is below SCORE, from 0 to 1.",
)
@click.option("--evaluator", "only", multiple=True, metavar="NAME", help="Use only this evaluator; repeatable.")
@click.option("--project", default="default", show_default=True, help="Project the conversations belong to.")
@click.pass_context
def evaluate(
    ctx: click.Context,
    files: tuple[str, ...],
    style: Style,
    fail_under: float | None,
    only: Sequence[str],
    project: str,
) -> None:
    """Evaluate conversations from FILES, without a server. "-" reads standard input.

    JSON (one conversation, an array, or {"conversations": […]}), JSON lines and OpenAI chat messages are told apart by
    their content, and so is gzip. What cannot be read is named on standard error with file, line and field, and the
    rest is evaluated. A conversation that comes again unchanged is left out; a changed one counts as another revision.

    \b
    Exit codes:
      0    everything was read, and --fail-under is met
      1    the mean overall score is below --fail-under
      2    wrong usage, or something could not be read, whatever else holds
      3    nothing could be measured
      130  interrupted; the report shows what was done so far
    """  # noqa: D301 - \b is click's mark for a block that keeps its lines
    settings = read_settings()
    configure_logging("error", settings.log.format)  # the report counts failures; a line for each would bury it
    panel = build_panel(_patient(settings), only)
    refusals = Refusals()
    collect_rarely()
    started = time.monotonic()
    with progress_on(_watched(style), size_of(files)) as progress:
        refusals.tell = progress.tell
        run = OfflineRun(panel, _emitter(style, progress), refusals.add)
        reader = Reader(project, settings.limits, progress.advance, lambda note: progress.tell(f"note: {plain(note)}"))
        interrupted = _carry_out(run, panel, reader, files)
    refusals.close()
    facts = Facts(
        duplicates=run.repeats.duplicates,
        revised=run.repeats.revised,
        repeats_are_lower_bounds=run.repeats.forgetting,
        refused=refusals.count,
        seconds=time.monotonic() - started,
        interrupted=interrupted,
        fail_below=panel.rules.fail_below,
        hints=hints_for(panel),
    )
    if style == "table":
        print_report(run.summary, facts)
    else:
        click.echo(one_line(run.summary, facts), err=True)
    ctx.exit(INTERRUPTED if interrupted else _exit_code(run.summary, refusals.count, fail_under))


def _patient(settings: Settings) -> Settings:
    """Have questions to a model wait for their turn however long it takes: here is no stream that would keep them."""
    judge = settings.judge.model_copy(update={"wait_seconds": math.inf, "deadline_seconds": math.inf})
    return settings.model_copy(update={"judge": judge})


class Refusals:
    """Names the first items that could not be read and counts the rest."""

    def __init__(self) -> None:
        self.count = 0
        self.tell: Callable[[str], None] = lambda line: click.echo(line, err=True)

    def add(self, refused: Refused) -> None:
        """Take one more."""
        self.count += 1
        if self.count <= SHOWN_REFUSALS:
            self.tell(f"error: {plain(refused, 500)}")

    def close(self) -> None:
        """Say how many were not named."""
        if self.count > SHOWN_REFUSALS:
            self.tell(f"error: {count_of(self.count - SHOWN_REFUSALS, 'more item')} could not be read")


def _watched(style: Style) -> bool:
    """Whether a bar would be seen and disturb nothing: JSON lines may go to the same terminal."""
    return sys.stderr.isatty() and (style == "table" or not sys.stdout.isatty())


def _emitter(style: Style, progress: Progress) -> Emit:
    lines = JsonLines(sys.stdout.buffer) if style == "json" else None

    def emit(batch: Sequence[Evaluated]) -> None:
        progress.count(len(batch))
        if lines is not None:
            with writing():
                lines.write(batch)

    return emit


def _carry_out(run: OfflineRun, panel: Panel, reader: Reader, files: Sequence[str]) -> bool:
    """Evaluate all files; tell whether somebody interrupted it."""

    async def carry_out() -> None:
        try:
            await run.run(reader.read(files))
        finally:
            await panel.close()

    try:
        asyncio.run(carry_out())
    except KeyboardInterrupt:
        return True
    return False


def _exit_code(summary: Summary, refused: int, fail_under: float | None) -> int:
    """Decide the exit code, and say why the threshold is not met."""
    below = _is_below(summary, fail_under)
    if refused:
        return WRONG_INPUT
    if not summary.measured:
        click.echo("not enough data: nothing could be measured", err=True)
        return NOT_ENOUGH_DATA
    return JUDGEMENT if below else 0


def _is_below(summary: Summary, fail_under: float | None) -> bool:
    scores = summary.total.overall
    if fail_under is None or scores.mean is None or scores.mean >= fail_under:
        return False
    found = scores.interval()
    bounds = f", 95 % interval {found.low:.3f} to {found.high:.3f}" if found else ""
    click.echo(
        f"below the threshold: mean overall {scores.mean:.3f} < {fail_under:g} "
        f"({count_of(scores.n, 'conversation')}{bounds})",
        err=True,
    )
    return True
