"""Which settings are in force, and where does each come from?

First wins: arguments, then `HEALING_EVAL_*` in the environment (`__` nests), then `healing-eval.toml`, then defaults.
This module is the only reader of the environment; rooms receive plain arguments.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, Field, NonNegativeFloat, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from healing_eval.errors import ConfigError
from healing_eval.masking import masked
from healing_eval.sections import (
    BatchSettings,
    BudgetName,
    BudgetSettings,
    CacheSettings,
    DeploymentName,
    DeploymentSettings,
    JudgeSettings,
    Limits,
    LogSettings,
    ModelName,
    PriceSettings,
    RetentionSettings,
    Section,
    TelemetrySettings,
    VerdictSettings,
    WorkerSettings,
)

PREFIX = "HEALING_EVAL_"
TOML_FILE = "healing-eval.toml"

_SHOWN = 80
"""Characters of a refused value that an error shows."""


class Settings(BaseSettings):
    """Everything that can be set. Frozen: read once, in a door."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        toml_file=TOML_FILE,
        use_attribute_docstrings=True,
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Path("healing-eval-data")
    """Folder of the embedded store; made when needed. One process works on it at a time."""
    store_url: str | None = None
    """Where it is kept: sqlite:///file or postgresql://user:password@host/name. None: SQLite in the data directory."""
    store_wait_seconds: NonNegativeFloat = 60.0
    """How long `serve` and `work` wait at start for a store that cannot be reached, in seconds; then it is an error."""
    stream_url: str = "memory://"
    """What rings the workers: memory:// within one process, redis://[user:password@]host[:port][/db] across them."""
    cache_url: str = "memory://"
    """Where results of evaluators that ask a model are remembered: memory:// in each process, redis://… or the store's
    address for all of them."""
    archive_url: str | None = None
    """Where old months go before they are dropped, such as file:///folder. None: nowhere, they are only dropped."""
    host: str = "127.0.0.1"
    """Address the server listens on. Anything but loopback needs an API key to exist."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port the server listens on; 0 picks a free one."""
    limits: Limits = Limits()
    """What a sender may send."""
    judge: JudgeSettings = JudgeSettings()
    """The language model that judges."""
    cache: CacheSettings = CacheSettings()
    """What is remembered of evaluators that ask a model."""
    prices: dict[ModelName, PriceSettings] = {}
    """What models cost that have no published price, or another for you, by provider:model: a table each with
    input_dollars_per_million, output_dollars_per_million and, if lower, cached_input_dollars_per_million."""
    models: dict[str, str | list[str]] = {}
    """Which model single evaluators ask, by evaluator, where it is not judge.model: provider:model or a pool, or a list
    of several whose answers are combined."""
    deployments: dict[DeploymentName, DeploymentSettings] = {}
    """Where models are served, by a name of yours: a table each with model, and whatever of pool, url, key_variable,
    region, weight, requests_per_minute, tokens_per_minute, price and batches is needed. All workers together stay
    within the limits, through the Redis of stream_url; with memory:// each process counts for itself."""
    budgets: dict[BudgetName, BudgetSettings] = {}
    """What may be spent on models, by a name of yours: a table each with dollars, tokens or both, and whatever of
    project, evaluator, period, soft_share and least_share is needed. What is spent is counted in the Redis of
    stream_url; with memory:// in a file of the data directory."""
    batches: BatchSettings = BatchSettings()
    """Questions to models that may wait up to a day, which providers answer for less."""
    verdict: VerdictSettings = VerdictSettings()
    """How evaluations become a verdict."""
    worker: WorkerSettings = WorkerSettings()
    """How work is taken from the stream."""
    retention: RetentionSettings = RetentionSettings()
    """How long what was accepted is kept."""
    log: LogSettings = LogSettings()
    """What is written to standard error."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """Traces: how long each part of the work took, across processes."""
    evaluators: dict[str, dict[str, Any]] = {}
    """Options of each evaluator by its name; the evaluator itself checks them and names the known ones."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, TOML file: first wins."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def effective_store_url(self) -> str:
        """The store's address, with the default filled in."""
        return self.store_url or f"sqlite:///{self.data_dir.absolute() / 'healing-eval.db'}"

    @property
    def effective_spending_url(self) -> str:
        """Where it is counted what budgets have spent: where the stream is, or else where it outlives the process."""
        if self.stream_url.partition(":")[0] != "memory":
            return self.stream_url
        return f"sqlite:///{self.data_dir.absolute() / 'spending.db'}"


def read_settings(**arguments: Any) -> Settings:
    """Read the settings once.

    Raises:
        ConfigError: a value is wrong or a name is unknown, with its name and what was expected.
    """
    known = [PREFIX + _in_environment(name) for name in _names(Settings)]
    unknown = sorted(name for name in _our_environment() if name not in known and not name.startswith(_OPEN_ENDED))
    unknown = [name for name in unknown if name not in FOR_TESTS_ONLY]
    if unknown:
        raise ConfigError(f"unknown setting {unknown[0]} in the environment; {_names_like(unknown[0])}")
    try:
        return Settings(**arguments)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error
    except SettingsError as error:
        raise ConfigError(_explain_no_json() or str(error)) from error
    except (OSError, ValueError) as error:  # the TOML file cannot be read or parsed
        raise ConfigError(f"{TOML_FILE}: {error}") from error


_OPEN_ENDED = (
    f"{PREFIX}BUDGETS__",
    f"{PREFIX}EVALUATORS__",
    f"{PREFIX}DEPLOYMENTS__",
    f"{PREFIX}MODELS__",
    f"{PREFIX}PRICES__",
    f"{PREFIX}VERDICT__WEIGHTS__",
)
"""What goes on with names that plug-ins or providers choose."""

FOR_TESTS_ONLY = frozenset({f"{PREFIX}REALDATA_DIR", f"{PREFIX}VLLM"})
"""Names that tests and benchmarks read; the product ignores them."""


def provider_environment() -> Mapping[str, str]:
    """Give the environment to model providers, who read keys by the names their own users know."""
    return dict(os.environ)


def describe(settings: Settings, **arguments: Any) -> Iterator[tuple[str, Any, str, str]]:
    """List every setting as (dotted name, value, source, description).

    The source is argument, environment, healing-eval.toml or default; of a table to which several add, it names each.
    """
    given = [
        ("argument", arguments),
        ("environment", EnvSettingsSource(Settings)()),
        (TOML_FILE, TomlConfigSettingsSource(Settings)()),
    ]
    yield from _describe(settings, "", given)


_Given = Sequence[tuple[str, Mapping[str, Any]]]
"""What each source says, the one that wins first."""


def _describe(model: BaseModel, path: str, given: _Given) -> Iterator[tuple[str, Any, str, str]]:
    for name, field in type(model).model_fields.items():
        value, dotted = getattr(model, name), f"{path}{name}"
        parts = [(source, table[name]) for source, table in given if name in table]
        if isinstance(value, Section):
            yield from _describe(value, f"{dotted}.", [(source, _table(part)) for source, part in parts])
        else:
            yield dotted, _plain(value), _sources(parts), " ".join((field.description or "").split())


def _plain(value: Any) -> Any:
    """Write a table's sections, such as prices, as the tables they are."""
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, Any]", value)
    return {name: part.model_dump() if isinstance(part, Section) else part for name, part in table.items()}


def _table(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _sources(parts: Sequence[tuple[str, Any]]) -> str:
    """Name the sources of which something is in force; tables are merged, anything else is taken as a whole."""
    if not parts:
        return "default"
    in_force: list[str] = []
    taken = set[tuple[str, ...]]()
    for source, part in parts:
        leaves = set(_leaves(part))
        if leaves - taken:
            in_force.append(source)
        taken |= leaves
        if not isinstance(part, Mapping):
            break
    return ", ".join(in_force) or parts[0][0]


def _leaves(part: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not isinstance(part, Mapping):
        yield path
        return
    for name, inner in cast("Mapping[str, Any]", part).items():
        yield from _leaves(inner, (*path, name))


def _our_environment() -> list[str]:
    return [name.upper() for name in os.environ if name.upper().startswith(PREFIX)]


def _in_environment(dotted: str) -> str:
    return dotted.replace(".", "__").upper()


def _names(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """List the dotted names of all settings, sections included."""
    for name, field in model.model_fields.items():
        yield f"{path}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _names(field.annotation, f"{path}{name}.")


def _names_like(unknown: str) -> str:
    """Propose what may have been meant, as it would be written in the same place; else list what there is."""
    names = list(_names(Settings))
    table, _, _ = unknown.rpartition(".")
    for start, section in _TABLES_BY_NAME:
        if table.startswith(start):
            names = [f"{table}.{name}" for name in section.model_fields]
    if unknown.startswith(PREFIX):
        near = get_close_matches(unknown.removeprefix(PREFIX), map(_in_environment, names), n=1)
        near = [PREFIX + name for name in near]
    else:
        near = get_close_matches(unknown, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"


_TABLES_BY_NAME = (("prices.", PriceSettings), ("deployments.", DeploymentSettings), ("budgets.", BudgetSettings))


def _explain(error: ValidationError) -> str:
    found = error.errors()
    # What is called by a wrong name is missing by the right one.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    name = ".".join(str(part) for part in first["loc"] if part != "[key]")
    if first["type"] == "extra_forbidden":
        return f"unknown setting {name!r}; {_names_like(name)}"
    expected = first["msg"].removeprefix("Value error, ")
    return f"setting {name!r}: {expected[0].lower()}{expected[1:]}, got {_shown(first['input'], name)}"


def _explain_no_json() -> str | None:
    """Find the variable that should hold a table as JSON, and does not."""
    written = {name.upper(): value for name, value in os.environ.items()}
    for dotted in _names(Settings):
        variable = PREFIX + _in_environment(dotted)
        default = _default_of(dotted)
        if variable in written and isinstance(default, BaseModel | dict) and not _is_json(written[variable]):
            expected = f"expected a JSON object, or one variable for each name in it ({variable}__NAME)"
            return f"setting {dotted!r}: {expected}, got {_shown(written[variable], dotted)} in {variable}"
    return None


def _default_of(dotted: str) -> Any:
    found: Any = Settings.model_construct()
    for name in dotted.split("."):
        found = getattr(found, name)
    return found


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _shown(value: Any, name: str) -> str:
    text = repr(masked(value, name))
    if name.startswith("evaluators") and isinstance(value, str):
        return f"{len(value)} characters"  # it may hold secrets, and what is no JSON has no names to tell them by
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
