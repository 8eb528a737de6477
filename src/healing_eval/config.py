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
from typing import Any, Literal, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
)
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

PREFIX = "HEALING_EVAL_"
TOML_FILE = "healing-eval.toml"

_SHORTEST_HANG_SECONDS = 3.0
_SHOWN = 80
"""Characters of a refused value that an error shows."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Limits(_Section):
    """What a sender may send."""

    body_bytes: PositiveInt = 16 * 1024 * 1024
    """Largest request body, in bytes."""
    batch: PositiveInt = 1000
    """Most conversations in one request."""
    turns: PositiveInt = 5000
    """Most turns in one conversation."""
    id_characters: PositiveInt = 256
    """Longest conversation_id, agent_version, turn_id, project or annotator_id, in characters."""
    backlog: NonNegativeInt = 1_000_000
    """Most conversations that may wait for evaluation before posts are answered 429 with `Retry-After`; 0: no limit."""


class JudgeSettings(_Section):
    """The language model that judges."""

    model: str | None = None
    """Model that judges, as provider:model (openai:gpt-4o-mini). None: no judge, and reports say so."""
    timeout_seconds: PositiveFloat = 60.0
    """How long one call may take, in seconds."""


class VerdictSettings(_Section):
    """How evaluations become a verdict."""

    fail_below: float = Field(default=0.5, ge=0, le=1)
    """A conversation fails when its overall score is below this, in [0, 1]."""
    min_measured_weight: float = Field(default=0.3, ge=0, le=1)
    """Share of all weight that must have measured; with less, the outcome is unknown."""
    weights: dict[str, NonNegativeFloat] = {}
    """Evaluator to weight, where it should differ from the evaluator's own; 0 leaves it out of the mean."""


class WorkerSettings(_Section):
    """How work is taken from the stream."""

    batch: PositiveInt = 64
    """Most conversations a worker takes at once."""
    judge_concurrency: PositiveInt = 512
    """Most conversations of one process that wait for the model at once; it begins with 16 and adapts to the model."""
    port: int = Field(default=8081, ge=0, le=65535)
    """Port on which `work` answers health checks and gives metrics; further processes take the next; 0: a free one."""
    redeliver_after_seconds: PositiveFloat = 120.0
    """What a worker has in hand is given to another when nothing was heard of it for this long, in seconds. One that
    lives tells of it three times as often, so this is how long a dead one is waited for."""
    hung_after_seconds: NonNegativeFloat = 60.0
    """When a process of `work --processes` or `serve --workers` that hangs is killed and started again, in seconds, at
    least 3; 0: never. Best below redeliver_after_seconds: else another takes over what it hangs on before that."""
    sweep_every_seconds: PositiveFloat = 30.0
    """How often the store is searched for conversations whose message was lost, in seconds."""
    max_attempts: PositiveInt = 10
    """How often a conversation is tried before it is marked failed. What a worker held that was killed counts as tried,
    so with a low number workers that are killed in a row take conversations along."""
    retry_for_seconds: NonNegativeFloat = 900.0
    """How long a conversation is tried again while a model does not answer, in seconds from its first failure; then the
    failure is final. Redis remembers it for all processes; a process that takes over tries for a minute in any case."""
    dead_letters: PositiveInt = 10_000
    """How many messages that were set aside are kept on each lane; the oldest are dropped."""

    @field_validator("hung_after_seconds")
    @classmethod
    def _signs_come_every_second(cls, value: float) -> float:
        if 0 < value < _SHORTEST_HANG_SECONDS:
            raise ValueError(f"input should be 0 or at least {_SHORTEST_HANG_SECONDS:g}")
        return value


class RetentionSettings(_Section):
    """How long what was accepted is kept."""

    keep_months: PositiveInt | None = None
    """How many whole months are kept besides the current one; older ones are archived and dropped. None: for ever."""


class LogSettings(_Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is written."""
    format: Literal["auto", "json", "text"] = "auto"
    """JSON lines or readable text; auto writes text on a terminal and JSON elsewhere."""


class TelemetrySettings(_Section):
    """Traces: how long each part of the work took, across processes."""

    otlp_endpoint: str | None = None
    """Who takes spans, by OTLP over HTTP, such as http://collector:4318; needs the extra otel. None: no traces."""
    service_name: str = Field(default="healing-eval", min_length=1, max_length=256)
    """What this process calls itself in traces."""
    sampled_share: float = Field(default=1.0, ge=0, le=1)
    """Share of the traces that begin here which is kept, in [0, 1]; who sends a `traceparent` decides about its own."""


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


_OPEN_ENDED = (f"{PREFIX}EVALUATORS__", f"{PREFIX}VERDICT__WEIGHTS__")
"""What goes on with names that plug-ins choose."""

FOR_TESTS_ONLY = frozenset({f"{PREFIX}REALDATA_DIR"})
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
        if isinstance(value, _Section):
            yield from _describe(value, f"{dotted}.", [(source, _table(part)) for source, part in parts])
        else:
            yield dotted, value, _sources(parts), field.description or ""


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
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Section):
            yield from _names(field.annotation, f"{path}{name}.")


def _names_like(unknown: str) -> str:
    """Propose what may have been meant, as it would be written in the same place; else list what there is."""
    names = list(_names(Settings))
    if unknown.startswith(PREFIX):
        near = get_close_matches(unknown.removeprefix(PREFIX), map(_in_environment, names), n=1)
        near = [PREFIX + name for name in near]
    else:
        near = get_close_matches(unknown, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
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
