"""Which plug-ins are there, where do they come from, and do they work?"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint

import click
import msgspec
from rich.table import Table
from rich.text import Text

from healing_eval import plugins as registry
from healing_eval.cli.output import echo
from healing_eval.cli.styles import stdout_console
from healing_eval.cli.text import plain
from healing_eval.config import Settings, read_settings
from healing_eval.errors import HealingEvalError
from healing_eval.masking import masked
from healing_eval.models import all_sites, build_deployment
from healing_eval.panel import build_panel


class EvaluatorLine(msgspec.Struct, frozen=True):
    """What an evaluator says about itself."""

    version: str
    weight: float
    """The weight in force."""
    lane: str
    needs: list[str]
    options: dict[str, object]
    """Those that are set."""
    opt_in: bool = False
    """Whether it is asked only where `[models]` names a model for it."""


class PluginLine(msgspec.Struct, frozen=True):
    """One plug-in as it is shown."""

    group: str
    name: str
    target: str
    distribution: str
    """Name and version of the package it came with."""
    error: str | None = None
    """Why it does not load."""
    lacks: str | None = None
    """What keeps it from measuring, though it loads: why there is no model, for one that needs a model."""
    evaluator: EvaluatorLine | None = None


@click.command()
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
def plugins(style: str) -> None:
    """Show every plug-in, where it came from and what it needs, or why it does not load."""
    settings = read_settings()
    lines = [line for group in registry.GROUPS for line in lines_of(group, settings)]
    if style == "json":
        echo(msgspec.json.encode(lines))
    else:
        _print(lines)


def lines_of(group: str, settings: Settings) -> Iterator[PluginLine]:
    """Load each plug-in of a group and describe it."""
    why_no_model, asked_by = fault_of_model(settings), settings.models
    if why_no_model is not None:  # a fault of its own, and of nobody else: the rest is looked at without a model
        without = settings.judge.model_copy(update={"model": None})
        settings = settings.model_copy(update={"judge": without, "models": {}})
    for name, point in registry.found(group).items():
        error: str | None = None
        evaluator: EvaluatorLine | None = None
        try:
            if group == registry.EVALUATORS:
                evaluator = _evaluator(name, settings)
            else:
                registry.load(group, name)
        except HealingEvalError as refusal:
            error = str(refusal)
        except Exception as crash:  # noqa: BLE001 - somebody else's module may raise anything while it is imported
            error = f"{type(crash).__name__}: {crash}"
        wants = evaluator is not None and "model" in evaluator.needs and (name in asked_by or not evaluator.opt_in)
        lacks = why_no_model if wants else None
        yield PluginLine(group, name, point.value, _distribution(point), error, lacks, evaluator)


def fault_of_model(settings: Settings) -> str | None:
    """Say why a configured model cannot be made; None when all can, or none is configured."""
    try:
        for site in all_sites(settings, list(registry.found(registry.EVALUATORS))):
            build_deployment(settings, site)
    except HealingEvalError as error:
        return str(error)
    return None


def _evaluator(name: str, settings: Settings) -> EvaluatorLine:
    panel = build_panel(settings.model_copy(update={"evaluators": _own_options(name, settings)}), [name])
    built = panel.evaluators[0]
    options = masked(settings.evaluators.get(name, {}))
    weight, opt_in = panel.rules.weights[name], bool(getattr(built, "opt_in", False))
    return EvaluatorLine(built.version, weight, built.lane, sorted(built.needs), options, opt_in)


def _own_options(name: str, settings: Settings) -> dict[str, dict[str, object]]:
    return {name: settings.evaluators[name]} if name in settings.evaluators else {}


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"


def _print(lines: list[PluginLine]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("group", "name", "from", "about"):
        table.add_column(column, overflow="fold", vertical="top")
    before = ""
    for line in lines:
        group = line.group.removeprefix("healing_eval.")
        table.add_row(
            Text(group if group != before else "", style="bold"),
            Text(plain(line.name)),
            Text(plain(line.distribution), style="dim"),
            _about(line),
        )
        before = group
    stdout_console().print(table)


def _about(line: PluginLine) -> Text:
    if line.error is not None:
        return Text(f"does not load: {plain(line.error)}", style="red")
    one = line.evaluator
    if one is None:
        return Text(plain(line.target), style="dim")
    about = Text(f"weight {one.weight:g}, lane {one.lane}, version {plain(one.version, 40)}")
    if one.needs:
        about.append(f", needs {', '.join(one.needs).replace('_', ' ')}")
    if one.opt_in:
        about.append(", only if [models] names one")
    if line.lacks is not None:
        about.append(f"\ncannot measure: {plain(line.lacks)}", style="yellow")
    for option, value in one.options.items():
        about.append(f"\n{plain(option)} = {plain(value)}", style="cyan")
    return about
