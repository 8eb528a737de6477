"""How does a comparison of models look?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from rich.table import Table
from rich.text import Text

from healing_eval.cli.advise.comparison import MINUTES_A_MONTH, PER, Dollars, Line, Total, total_of
from healing_eval.cli.advise.verdict import money, verdict_on, verdict_on_example
from healing_eval.cli.styles import stdout_console
from healing_eval.cli.text import count_of, plain

CANNOT_SAY = (
    "Quality and speed are not compared here: measure them on conversations that people labelled before you switch.",
    "The other model is taken to need as many tokens, as many of them cached; it may count and answer differently.",
)
NOT_SIZED = (
    "How many tokens an evaluation takes is not known, so dollars are not: give --results or --tokens, or evaluate "
    "into the store."
)


class Report(msgspec.Struct, frozen=True):
    """Everything that is said."""

    priced_at: datetime
    evaluators: list[Line]
    per_1000: Total | None
    """All evaluators that are there, per 1,000 conversations of which each is evaluated by all; None: not known."""
    per_month: Total | None
    """The same over 30 days; None: not known, or not asked for."""
    verdict: str
    is_known: bool
    """Whether what the proposal saves or costs can be said."""
    remarks: tuple[str, ...]
    """What the numbers do not say, and what the strategy's example is to be held against."""


def report_on(lines: list[Line], at: datetime, per_minute: float | None, *, is_example: bool) -> Report:
    """Sum up the lines."""
    here = [line for line in lines if line.is_there]
    verdict, total = verdict_on(here), total_of(here)
    absent = [f"There is no evaluator {line.evaluator} here." for line in lines if not line.is_there]
    unsized = any(line.sized_by is None for line in lines)
    remarks = (
        *([verdict_on_example(lines)] if is_example else []),
        *absent,
        *([NOT_SIZED] if unsized else []),
        *CANNOT_SAY,
    )
    monthly = None if total is None or per_minute is None else total.times(per_minute * MINUTES_A_MONTH / PER)
    return Report(at, lines, total, monthly, verdict.text, verdict.is_known, remarks)


def print_report(report: Report, per_minute: float | None) -> None:
    """Print it for people."""
    console = stdout_console()
    console.print(_table(report.evaluators))
    month = f"30 days at {per_minute or 0:,g} conversations a minute"
    totals = ((report.per_1000, "1,000 conversations"), (report.per_month, month))
    said = [
        f"all evaluators, {of}: {money(total.now)} now, {money(total.proposed)} as proposed"
        for total, of in totals
        if total is not None
    ]
    console.print("\n".join(["", *said, *([""] if said else [])]))
    console.print(Text(report.verdict, style="bold"))
    console.print("\n".join(report.remarks))
    console.print(Text(f"Prices of {report.priced_at:%Y-%m-%d}. {_sources(report.evaluators)}".strip(), style="dim"))


def _table(lines: Sequence[Line]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("evaluator", overflow="fold")
    for side in ("now", "proposed"):
        table.add_column(side, overflow="fold")
        table.add_column("$ per 1,000", justify="right")
    table.add_column("difference", justify="right")
    table.add_column("times", justify="right")
    for line in lines:
        table.add_row(
            Text(plain(line.evaluator), style="bold" if line.is_there else "dim"),
            *_side(line, line.now, line.now_per_1000),
            *_side(line, line.proposed, line.proposed_per_1000),
            _dollars(line.difference_per_1000, signed=True),
            Text(_times(line)),
        )
    return table


def _side(line: Line, models: Sequence[str], dollars: Dollars | None) -> tuple[Text, Text]:
    unpriced = any(model in line.unpriced for model in models)
    cost = Text("no price known", style="yellow") if unpriced else _dollars(dollars)
    return Text(plain(", ".join(models) or "none")), cost


def _dollars(amount: Dollars | None, *, signed: bool = False) -> Text:
    if amount is None:
        return Text("not known", style="dim")
    bounds = "" if amount.high is None else f"\n±{money(amount.high - amount.estimate)}"
    sign = "+" if signed and amount.estimate > 0 else ""
    return Text(sign + money(amount.estimate)).append(bounds, style="dim")


def _times(line: Line) -> str:
    if not line.is_changed:
        return "the same"
    if line.factor is not None:
        return f"{line.factor:.2f} ({100 * (line.factor - 1):+.0f} %)"
    if line.factor_at_any_size is None:
        return "not known"
    low, high = line.factor_at_any_size
    return f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"


def _sources(lines: Sequence[Line]) -> str:
    """Say what the dollars rest on."""
    rests: dict[str, list[str]] = {}
    for line in lines:
        if line.sized_by is not None:
            n = f" ({count_of(line.evaluations, 'evaluation')})" if line.evaluations else ""
            rests.setdefault(line.sized_by, []).append(f"{plain(line.evaluator)}{n}")
    said = "; ".join(f"{', '.join(names)}: {plain(source)}" for source, names in rests.items())
    bounds = "; ± half of the 95 % interval" if any(line.evaluations > 1 for line in lines) else ""
    return f"Tokens: {said}{bounds}." if said else ""
