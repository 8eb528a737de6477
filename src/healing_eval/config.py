"""Which settings are in force, and where does each come from?

First wins: arguments, then `HEALING_EVAL_*` in the environment (`__` nests), then `healing-eval.toml`, then defaults.
This module is the only reader of the environment; rooms receive plain arguments.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from healing_eval.errors import ConfigError

PREFIX = "HEALING_EVAL_"
TOML_FILE = "healing-eval.toml"

Source = Literal["argument", "environment", "healing-eval.toml", "default"]


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
    judge_concurrency: PositiveInt = 32
    """Most conversations that wait for the model at the same time."""
    redeliver_after_seconds: PositiveFloat = 120.0
    """A message that its holder has not acknowledged for this long is given to another, in seconds."""
    sweep_every_seconds: PositiveFloat = 30.0
    """How often the store is searched for conversations whose message was lost, in seconds."""
    max_attempts: PositiveInt = 5
    """How often a conversation is tried before it is marked failed."""


class LogSettings(_Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is written."""
    format: Literal["auto", "json", "text"] = "auto"
    """JSON lines or readable text; auto writes text on a terminal and JSON elsewhere."""


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
    """Folder of the embedded store; made when needed."""
    store_url: str | None = None
    """Where it is kept: sqlite:///file or postgresql://user:password@host/name. None: SQLite in the data directory."""
    stream_url: str = "memory://"
    """What rings the workers. memory:// works within one process."""
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
    log: LogSettings = LogSettings()
    """What is written to standard error."""
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
    unknown = sorted(set(_our_environment()) - set(_known_environment(Settings, PREFIX)))
    unknown = [name for name in unknown if not name.startswith(f"{PREFIX}EVALUATORS__")]
    unknown = [name for name in unknown if not name.startswith(f"{PREFIX}VERDICT__WEIGHTS__")]
    unknown = [name for name in unknown if name not in FOR_TESTS_ONLY]
    if unknown:
        raise ConfigError(f"unknown setting {unknown[0]} in the environment; see: healing-eval settings")
    try:
        return Settings(**arguments)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error
    except SettingsError as error:
        raise ConfigError(str(error)) from error
    except (OSError, ValueError) as error:  # the TOML file cannot be read or parsed
        raise ConfigError(f"{TOML_FILE}: {error}") from error


FOR_TESTS_ONLY = frozenset({f"{PREFIX}REALDATA_DIR"})
"""Names that tests and benchmarks read; the product ignores them."""


def provider_environment() -> Mapping[str, str]:
    """Give the environment to model providers, who read keys by the names their own users know."""
    return dict(os.environ)


def describe(settings: Settings, **arguments: Any) -> Iterator[tuple[str, Any, Source, str]]:
    """List every setting as (dotted name, value, source, description)."""
    toml = TomlConfigSettingsSource(Settings)()
    yield from _describe(settings, "", arguments, toml)


def _describe(
    model: BaseModel, path: str, arguments: Mapping[str, Any], toml: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Source, str]]:
    for name, field in type(model).model_fields.items():
        value, dotted = getattr(model, name), f"{path}{name}"
        given, written = arguments.get(name), toml.get(name)
        if isinstance(value, _Section):
            yield from _describe(value, f"{dotted}.", _table(given), _table(written))
        else:
            yield dotted, value, _source(dotted, name in arguments, name in toml), field.description or ""


def _table(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _source(dotted: str, is_argument: bool, is_in_toml: bool) -> Source:
    if is_argument:
        return "argument"
    name = PREFIX + dotted.replace(".", "__").upper()
    if any(known == name or known.startswith(f"{name}__") for known in _our_environment()):
        return "environment"
    return "healing-eval.toml" if is_in_toml else "default"


def _our_environment() -> list[str]:
    return [name.upper() for name in os.environ if name.upper().startswith(PREFIX)]


def _known_environment(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name.upper()
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Section):
            yield from _known_environment(field.annotation, f"{prefix}{name.upper()}__")


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown setting {name!r}; see: healing-eval settings"
    return f"setting {name!r}: {first['msg'][0].lower()}{first['msg'][1:]}, got {first['input']!r}"
