"""Which models are compared with which, evaluator by evaluator?"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from healing_eval import plugins
from healing_eval.config import Settings
from healing_eval.errors import ConfigError
from healing_eval.models import models_of

Table = dict[str, str | list[str]]
"""Evaluator to what it asks, as in the setting `models`."""


class Plan(msgspec.Struct, frozen=True):
    """What one evaluator asks, and what it is proposed to ask."""

    evaluator: str
    now: tuple[str, ...]
    proposed: tuple[str, ...]
    is_there: bool = True
    """Whether there is such an evaluator here."""

    @property
    def is_changed(self) -> bool:
        """Whether anything else is asked than now."""
        return self.now != self.proposed


EXAMPLE_NOW = "openai:gpt-4o-mini"
EXAMPLE: dict[str, str | list[str]] = {
    "judge": "openai:gpt-4o-mini",
    "tool_use_judge": "openai:gpt-3.5-turbo",
    "coherence_judge": "openai:gpt-3.5-turbo",
}
"""The scaling strategy's table of models, all of which replace `EXAMPLE_NOW`."""
EXAMPLE_SAVING = 0.67
"""What the strategy says is saved wherever its example changes the model, as a share of the cost."""
EXAMPLE_SAVING_IN_ALL = "40–50 %"
EXAMPLE_SPEEDUP = 2
"""How many times as fast it says that is."""


def asking_evaluators() -> list[str]:
    """Name the evaluators that ask a model.

    Raises:
        PluginError: one cannot be imported.
    """
    return [name for name in plugins.found(plugins.EVALUATORS) if "model" in _needs(name)]


def _needs(name: str) -> Collection[str]:
    return getattr(plugins.load(plugins.EVALUATORS, name), "needs", ())


def read_proposal(file: Path | None, single: Sequence[str]) -> Table:
    """Read what is proposed from a file, and over it from `EVALUATOR=MODEL`.

    Raises:
        ConfigError: it cannot be read, or is no such table.
    """
    table: Table = {} if file is None else _read_table(file)
    for one in single:
        evaluator, _, model = one.partition("=")
        if not (evaluator and model):
            raise ConfigError(f"--model: expected EVALUATOR=PROVIDER:MODEL, such as judge=openai:gpt-4o, got {one!r}")
        table[evaluator] = model
    return table


class _File(msgspec.Struct, forbid_unknown_fields=True):
    models: Table


def _read_table(file: Path) -> Table:
    try:
        return msgspec.convert(tomllib.loads(file.read_text("utf-8")), _File).models
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, msgspec.ValidationError) as error:  # no UTF-8, no TOML, or another table
        raise ConfigError(f"{file}: {error}; expected one table [models], evaluator = model") from error


def plans_for(settings: Settings, table: Mapping[str, str | list[str]], asking: Sequence[str]) -> list[Plan]:
    """Set what is proposed against what is in force; who is not in the table keeps what it has.

    Raises:
        ConfigError: there is no such evaluator, or it asks no model.
    """
    unknown = next((name for name in table if name not in asking), None)
    if unknown is not None:
        known = ", ".join(asking) or "none"
        raise ConfigError(f"no evaluator {unknown!r} that asks a model; those that do: {known}")
    proposed = with_table(settings, table)
    return [Plan(name, models_of(settings, name), models_of(proposed, name)) for name in asking]


def example_plans(asking: Collection[str]) -> Iterator[Plan]:
    """Give the scaling strategy's own table, both sides of it."""
    for name, model in EXAMPLE.items():
        yield Plan(name, (EXAMPLE_NOW,), (str(model),), name in asking)


def with_table(settings: Settings, table: Mapping[str, str | list[str]]) -> Settings:
    """Give the settings with what is proposed in force."""
    return settings.model_copy(update={"models": {**settings.models, **table}})
