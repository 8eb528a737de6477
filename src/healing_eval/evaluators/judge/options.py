"""What may an operator set about the judge, and how is a wrong option refused?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from healing_eval.errors import ConfigError
from healing_eval.evaluators.options import convert_options


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[evaluators.judge]` of the settings."""

    concurrency: int | None = None
    """How many conversations of one batch are asked about at the same time; None: all."""
    max_output_tokens: int = 2048
    """How long the model's answer may be."""
    context_tokens: int | None = None
    """How many tokens prompt and answer may take together; None: what the provider says of the model."""
    rubric: str | None = None
    """Path of a Markdown file to grade by, one `## name` block per criterion; None: the built-in rubric."""


def read_options(table: Mapping[str, Any]) -> Options:
    """Read the evaluator's own table of the settings.

    Raises:
        ConfigError: an option is unknown, or has the wrong type or range; the message names it.
    """
    options = convert_options("judge", table, Options)
    if options.concurrency is not None:
        _at_least("concurrency", options.concurrency, 1)
    _at_least("max_output_tokens", options.max_output_tokens, 256)
    if options.context_tokens is not None:
        _at_least("context_tokens", options.context_tokens, 2 * options.max_output_tokens)
    return options


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ConfigError(f"evaluators.judge.{name}: expected {least} or more, got {value}")
