"""What does a person read after an evaluation? Rendering shared by `evaluate` and `demo`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from healing_eval.cli.styles import bar, mean_text, score_text, severity_text, share_text, stdout_console
from healing_eval.cli.text import count_of, plain
from healing_eval.domain.evaluation import Issue
from healing_eval.panel import Panel
from healing_eval.pipeline.summary import EvaluatorTally, SignatureTally, Summary, Tally, WorstConversation

SHOWN_VERSIONS = 15
SHOWN_SIGNATURES = 10
LONGEST_VERSION = 32
WIDTH_BESIDE_VERSION = 64
"""Columns that the numbers and the bar of a version take at most, without its name."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says beside the summary."""

    duplicates: int = 0
    revised: int = 0
    repeats_are_lower_bounds: bool = False
    refused: int = 0
    """Items that could not be read."""
    fail_below: float | None = None
    """The overall score below which a conversation fails; None leaves the rule unsaid."""
    seconds: float | None = None
    interrupted: bool = False
    hints: Mapping[str, str] = {}
    """Evaluator to what would make it measure."""


def hints_for(panel: Panel) -> dict[str, str]:
    """Say for each evaluator that cannot measure as things are what would change that."""
    advice = "set HEALING_EVAL_JUDGE__MODEL, such as openai:gpt-4o-mini, and OPENAI_API_KEY"
    return {one.name: advice for one in panel.evaluators if panel.lacks_a_model(one)}


def one_line(summary: Summary, facts: Facts) -> str:
    """Sum everything up on one line of plain text."""
    total = summary.total
    counts = f"{total.passes:,} pass, {total.fails:,} fail, {total.unknown:,} unknown"
    return "; ".join([f"{count_of(total.n, 'conversation')} evaluated: {counts}", *_asides(summary, facts)])


def print_report(summary: Summary, facts: Facts, console: Console | None = None) -> None:
    """Print the report, by default on standard output."""
    console = console or stdout_console()
    console.print(Group(*_sections(summary, facts, console.width)))


def _sections(summary: Summary, facts: Facts, width: int) -> Iterable[RenderableType]:
    yield _headline(summary, facts)
    if summary.versions:
        yield _section("Scores per agent version", _versions(summary, width))
    worst = summary.worst()
    if worst:
        yield _section("Worst conversations, at most three with the same top issue", _worst(worst))
    if summary.signature_count:
        yield _section("Top issues, by the number of conversations they are in", _signatures(summary))
    if summary.evaluators:
        yield _section("Evaluators, and what was not measured", _evaluators(summary, facts))


def _section(title: str, body: RenderableType) -> RenderableType:
    rule = Rule(Text(f"{title} ", style="bold"), align="left", style="dim")
    return Group(Text(), rule, Padding(body, (0, 0, 0, 1), expand=False))


def _headline(summary: Summary, facts: Facts) -> RenderableType:
    total = summary.total
    head = Text.assemble((count_of(total.n, "conversation"), "bold"), " evaluated")
    if facts.seconds and not facts.interrupted:
        head.append(f" in {facts.seconds:.1f} s", style="dim")
    if facts.interrupted:
        head.append(" before the interruption; the rest was not looked at", style="yellow")
    lines: list[RenderableType] = [head]
    if total.n:
        lines += [Text(), bar(total), _outcomes(total), *_scores(total)]
    if total.n and facts.fail_below is not None:
        rule = f"a conversation fails below {facts.fail_below:g} overall, or on a critical issue found without a model"
        lines.append(Text(rule, style="dim"))
    lines += [Text(aside, style="yellow") for aside in _asides(summary, facts)]
    return Group(Text(), Padding(Group(*lines), (0, 0, 0, 1), expand=False))


def _outcomes(total: Tally) -> Text:
    line = Text.assemble((f"{total.passes:,} pass", "green"), "  ", (f"{total.fails:,} fail", "red"), "  ")
    line.append(f"{total.unknown:,} unknown", style="dim")
    share = total.pass_share()
    if share is not None:
        line.append("    pass share ").append_text(share_text(share))
        line.append(f", 95 % interval, of {total.decided:,} decided", style="dim")
    return line


def _scores(total: Tally) -> Iterable[Text]:
    if total.overall.n:
        line = Text("mean overall ").append_text(mean_text(total.overall))
        yield line.append(f", 95 % interval, of {total.overall.n:,} measured; 0 worst, 1 best", style="dim")


def _asides(summary: Summary, facts: Facts) -> list[str]:
    """Say what happened to conversations that are in none of the numbers, or twice."""
    found = [
        (summary.unevaluable, "without an assistant turn, not scored"),
        (facts.duplicates, "repeated unchanged, left out"),
        (facts.revised, "came again with other content, evaluated as further revisions"),
        (facts.refused, "not readable, named on standard error"),
    ]
    asides = [f"{n:,} {what}" for n, what in found if n]
    idle = [plain(name, 40) for name, tally in sorted(summary.evaluators.items()) if not tally.measured]
    if idle and summary.total.passes:
        asides.append(f"{', '.join(idle)} measured nothing: a pass says only that the others found nothing grave")
    if facts.repeats_are_lower_bounds:
        asides.append("repeats were looked for among the latest conversations only")
    return asides


def _table(*columns: str, right: Iterable[str] = ()) -> Table:
    """Make a table; the columns to the right are counts, which lose nothing however narrow it gets."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    for column in columns:
        is_count = column in right
        justify = "right" if is_count else "left"
        table.add_column(column, justify=justify, vertical="top", no_wrap=is_count, overflow="fold")
    return table


def _never_wrap(table: Table, *columns: int) -> None:
    for index in columns:
        table.columns[index].no_wrap = True
        table.columns[index].overflow = "ellipsis"


def _versions(summary: Summary, width: int) -> RenderableType:
    table = _table("agent version", "n", "pass share", "mean overall", right=("n",))
    by_size = sorted(summary.versions.items(), key=lambda item: -item[1].n)
    shown = [(Text(plain(version, 40)), tally) for version, tally in by_size[:SHOWN_VERSIONS]]
    longest = min(LONGEST_VERSION, max(name.cell_len for name, _ in shown))
    has_bar = width >= longest + WIDTH_BESIDE_VERSION  # numbers go first
    if has_bar:
        table.add_column("")
        _never_wrap(table, 0, 2, 3)
    table.columns[0].max_width = LONGEST_VERSION
    for name, tally in shown:
        _add_version(table, name, tally, has_bar=has_bar)
    hidden = len(by_size) - SHOWN_VERSIONS
    notes: list[RenderableType] = [table]
    if summary.other_versions.n:
        _add_version(table, Text("further versions", style="dim"), summary.other_versions, has_bar=has_bar)
    if hidden > 0:
        notes.append(Text(f"and {count_of(hidden, 'smaller version')}", style="dim"))
    return Group(*notes)


def _add_version(table: Table, name: Text, tally: Tally, *, has_bar: bool) -> None:
    share = tally.pass_share()
    shown = share_text(share) if share else Text("not measured", style="dim")
    bars = [bar(tally, width=12)] if has_bar else []
    table.add_row(name, f"{tally.n:,}", shown, mean_text(tally.overall), *bars)


def _worst(conversations: Iterable[WorstConversation]) -> Table:
    table = _table("conversation", "overall", "turn", "why", right=("overall",))
    table.columns[0].max_width = 36
    table.columns[0].overflow = "fold"
    for one in conversations:
        worst = one.top_issue
        where = plain(worst.turn_id, 12) if worst and worst.turn_id is not None else "–"
        overall = Text("–", style="dim") if one.overall is None else score_text(one.overall)
        table.add_row(Text(plain(one.conversation_id, 72)), overall, Text(where), _why(worst, one.issues))
    return table


def _why(worst: Issue | None, issues: int) -> Text:
    if worst is None:
        return Text("low score without a single issue", style="dim")
    line = severity_text(worst.severity, plain(worst.type, 40))
    line.append(f"  {plain(worst.description, 140)}")
    if issues > 1:
        line.append(f"  +{issues - 1} more", style="dim")
    return line


def _signatures(summary: Summary) -> RenderableType:
    table = _table("conversations", "times", "signature", "for example", right=("conversations", "times"))
    table.columns[2].overflow = table.columns[3].overflow = "fold"
    table.columns[3].max_width = 30
    shown = summary.top_signatures(SHOWN_SIGNATURES)
    for tally in shown:
        table.add_row(_prevalence(tally, summary.total.n), f"{tally.occurrences:,}", _signature(tally), _example(tally))
    lines: list[RenderableType] = [table]
    rest = summary.signature_count - len(shown)
    if rest:
        lines.append(Text(f"and {count_of(rest, 'rarer signature')}", style="dim"))
    if summary.signatures_dropped:
        lines.append(Text(f"{summary.signatures_dropped:,} issues of rare signatures are in no row", style="yellow"))
    return Group(*lines)


def _prevalence(tally: SignatureTally, n: int) -> Text:
    share = tally.conversations / n
    shown = f"{share:.0%}" if share >= 0.01 else "<1%"
    return Text(f"{tally.conversations:,}").append(f" ({shown})".rjust(7), style="dim")


def _signature(tally: SignatureTally) -> Text:
    name, _, digest = tally.signature.rpartition("#")
    return severity_text(tally.severity, plain(name.replace(":", " · "), 90)).append(
        f" #{plain(digest, 12)}", style="dim"
    )


def _example(tally: SignatureTally) -> Text:
    return Text(plain(tally.examples[0], 100), style="dim")


def _evaluators(summary: Summary, facts: Facts) -> Table:
    table = _table("evaluator", "measured", "mean score", "not measured", right=("measured",))
    for name, tally in sorted(summary.evaluators.items()):
        table.add_row(Text(plain(name, 40)), _measured(tally), mean_text(tally.scores), _reasons(name, tally, facts))
    return table


def _measured(tally: EvaluatorTally) -> Text:
    return Text(f"{tally.measured:,}", style="" if tally.measured else "yellow")


def _reasons(name: str, tally: EvaluatorTally, facts: Facts) -> Text:
    lines = [Text(f"{n:,} × {plain(reason, 120)}") for reason, n in tally.reasons.most_common(4)]
    if len(tally.reasons) > 4:
        lines.append(Text(f"and {count_of(len(tally.reasons) - 4, 'more reason')}", style="dim"))
    if tally.example_failure is not None:
        lines.append(Text(f"first failure: {plain(tally.example_failure, 160)}", style="red"))
    if name in facts.hints and not tally.measured:
        lines.append(Text(f"→ {facts.hints[name]}", style="cyan"))
    return Text("\n").join(lines) if lines else Text("–", style="dim")
