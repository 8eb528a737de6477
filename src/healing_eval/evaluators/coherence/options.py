"""What may an operator set?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from healing_eval.errors import ConfigError
from healing_eval.evaluators.options import convert_options


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds: the table `[evaluators.coherence]` of the settings."""

    frustration_threshold: float = 0.75
    """Risk in [0, 1] from which a user turn is reported as frustrated."""
    rephrasing_threshold: float = 90.0
    """Similarity in [0, 100] from which a user turn counts as said again (rapidfuzz token_set_ratio)."""
    last_turns: int = 4
    """How many of the last user turns the frustration score looks at."""


def read_options(table: Mapping[str, Any]) -> Options:
    """Read the evaluator's own table of the settings.

    Raises:
        ConfigError: an option is unknown, or has the wrong type or range; the message names it.
    """
    options = convert_options("coherence", table, Options)
    _refuse_outside("frustration_threshold", options.frustration_threshold, 0.0, 1.0)
    _refuse_outside("rephrasing_threshold", options.rephrasing_threshold, 0.0, 100.0)
    if options.last_turns < 1:
        raise ConfigError(f"evaluators.coherence.last_turns: expected 1 or more, got {options.last_turns}")
    return options


def _refuse_outside(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"evaluators.coherence.{name}: expected a number in [{low:g}, {high:g}], got {value!r}")
