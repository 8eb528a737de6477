"""How do numbers and severities look on a terminal?"""

from __future__ import annotations

import io
import os
import shutil
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from healing_eval.cli.output import writing
from healing_eval.domain.issue_types import Severity
from healing_eval.metaeval.intervals import Interval, RunningMean
from healing_eval.pipeline.summary import Tally

SEVERITY_STYLES: dict[Severity, str] = {"info": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}
SEVERITY_MARKS: dict[Severity, str] = {"info": "·", "warning": "▲", "error": "■", "critical": "◆"}
"""Shapes, so that severities are told apart without colours too."""

WIDTH_WHEN_PIPED = 110


class StdoutConsole(Console):
    """A console on standard output that tells when it cannot write.

    Raises:
        CannotWrite: standard output takes no more.
        BrokenPipeError: nobody reads it any more.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        with writing():
            super().print(*objects, **options)

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this while it handles the error, and would exit with 1


def stdout_console() -> Console:
    """Make a console on standard output that reads no markup into what it prints and survives any encoding."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # pyright: ignore[reportUnknownMemberType] - its buffer's type
    console = StdoutConsole(markup=False, highlight=False, emoji=False)
    if not console.is_terminal and not _width_is_known():
        console.width = WIDTH_WHEN_PIPED
    return console


def _width_is_known() -> bool:
    """Whether COLUMNS or a terminal, which standard error may still be, says how wide it is."""
    return shutil.get_terminal_size((0, 0)).columns > 0 or any(os.isatty(stream) for stream in (0, 1, 2))


def score_text(score: float) -> Text:
    """Write a score in [0, 1]; never rounded up to a whole 1 or down to a whole 0."""
    shown = f"{score:.2f}"
    if shown == "1.00" and score < 1:
        shown = ">.99"
    elif shown == "0.00" and score > 0:
        shown = "<.01"
    return Text(shown, style="red" if score < 0.5 else "yellow" if score < 0.8 else "green")


def share_text(share: Interval) -> Text:
    """Write a share with its bounds, in percent."""
    bounds = f" ({100 * share.low:.1f}–{100 * share.high:.1f})"
    return Text(f"{100 * share.estimate:.1f} %").append(bounds, style="dim")


def mean_text(scores: RunningMean) -> Text:
    """Write a mean score with its bounds; says so when there is none."""
    if scores.mean is None:
        return Text("not measured", style="dim")
    line = score_text(scores.mean)
    bounds = scores.interval()
    return line.append(f" ({bounds.low:.2f}–{bounds.high:.2f})" if bounds else " (n = 1)", style="dim")


def severity_text(severity: Severity, words: str) -> Text:
    """Write words in the shape and colour of a severity; the shape stays on the line of the first word."""
    return Text.assemble((f"{SEVERITY_MARKS[severity]}\u00a0{words}", SEVERITY_STYLES[severity]))


def bar(tally: Tally, width: int = 48) -> Text:
    """Draw how many passed, failed and stayed unknown; whatever occurred gets at least one cell."""
    counts = (tally.passes, tally.fails, tally.unknown)
    cells = [max(1, round(width * count / tally.n)) if count else 0 for count in counts]
    cells[cells.index(max(cells))] += width - sum(cells)
    marks = (("█", "green"), ("▓", "red"), ("░", "dim"))
    return Text.assemble(*((mark * n, style) for n, (mark, style) in zip(cells, marks, strict=True)))
