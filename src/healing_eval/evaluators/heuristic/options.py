"""What may an operator set, and how is a wrong option refused?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import jsonschema_rs
import msgspec

from healing_eval.errors import ConfigError
from healing_eval.evaluators.heuristic.required import FIELDS
from healing_eval.evaluators.options import convert_options, refuse_unknown


class FormatOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which form every assistant turn with text must have; by default any."""

    must_be_json: bool = False
    must_match: tuple[str, ...] = ()
    """Regular expressions, each to be found somewhere in the text. No look-around and no back-references, so that
    every search takes time linear in the text."""
    must_not_match: tuple[str, ...] = ()
    """Regular expressions, none to be found in the text."""
    max_characters: int | None = None

    @property
    def demands(self) -> bool:
        """Whether there is anything to check."""
        return self != _ANY_FORM


_ANY_FORM = FormatOptions()


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds and demands: the table `[evaluators.heuristic]` of the settings."""

    turn_warn_seconds: float = 10.0
    """An answer that takes longer is a warning."""
    turn_error_seconds: float = 30.0
    tool_warn_ms: float = 5_000.0
    """A tool call, or all calls of one turn together, that take longer are a warning."""
    tool_error_ms: float = 20_000.0
    repeat_min_characters: int = 60
    """Shorter assistant turns may be repeated: "You're welcome!" is no defect."""
    near_repeat_min_characters: int = 160
    """From this length on, a turn that is nearly the same as an earlier one counts as repeated."""
    format: FormatOptions = FormatOptions()
    suspect_injections: bool = True
    """Whether turns that read like orders to a model are reported for people to look at; no score depends on it."""
    required_fields: tuple[str, ...] = ()
    """Fields that must be there, such as "system_prompt" or "turns.timestamp"."""


def read_options(table: Mapping[str, Any]) -> Options:
    """Read the evaluator's own table of the settings.

    Raises:
        ConfigError: an option is unknown, or has the wrong type or range; the message names it.
    """
    nested = table.get("format")
    if isinstance(nested, Mapping):
        refuse_unknown("evaluators.heuristic.format", cast("Mapping[str, Any]", nested), FormatOptions)
    options = convert_options("heuristic", table, Options)
    _check_ranges(options)
    _check_required(options.required_fields)
    return options


def _check_ranges(options: Options) -> None:
    for low, high in (("turn_warn_seconds", "turn_error_seconds"), ("tool_warn_ms", "tool_error_ms")):
        warn, error = getattr(options, low), getattr(options, high)
        if not 0 < warn <= error:
            raise ConfigError(f"evaluators.heuristic: expected 0 < {low} <= {high}, got {warn:g} and {error:g}")
    at_least_one = {
        "repeat_min_characters": options.repeat_min_characters,
        "near_repeat_min_characters": options.near_repeat_min_characters,
        "format.max_characters": options.format.max_characters,
    }
    for name, value in at_least_one.items():
        if value is not None and value < 1:
            raise ConfigError(f"evaluators.heuristic.{name}: expected 1 or more, got {value}")


def _check_required(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in FIELDS:
            known = ", ".join(FIELDS)
            raise ConfigError(f"evaluators.heuristic.required_fields has no field {name!r}; known: {known}")


class Pattern(msgspec.Struct, frozen=True):
    """A regular expression from the configuration, compiled for linear time.

    It is run as a JSON Schema `pattern` by the engine that has no backtracking: the texts are hostile, and an
    operator's `(a+)+$` must not stop a worker.
    """

    source: str
    validator: jsonschema_rs.Draft202012Validator

    def found_in(self, text: str) -> bool:
        """Whether the expression matches anywhere in the text."""
        return self.validator.is_valid(text)


def compile_pattern(source: str, option: str) -> Pattern:
    """Compile a regular expression from the configuration.

    Raises:
        ConfigError: it is no regular expression, or needs backtracking; the message names the option.
    """
    schema = {"type": "string", "pattern": source}
    try:
        validator = jsonschema_rs.Draft202012Validator(schema, pattern_options=jsonschema_rs.RegexOptions())
    except ValueError as error:
        reason = "expected a regular expression without look-around and back-references"
        raise ConfigError(f"evaluators.heuristic.format.{option}: {source!r} cannot be compiled; {reason}") from error
    return Pattern(source, validator)
