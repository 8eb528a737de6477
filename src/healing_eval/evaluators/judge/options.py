"""What may an operator set about the judge, and how is a wrong option refused?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from healing_eval.errors import ConfigError
from healing_eval.evaluators.options import convert_options

MOST_CONVERSATIONS = 50
MOST_GATHERING_SECONDS = 1.0


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[evaluators.judge]` of the settings, and those of its kin."""

    concurrency: int | None = None
    """How many conversations of one batch are asked about at the same time; None: all."""
    max_output_tokens: int = 2048
    """How long the model's answer may be."""
    context_tokens: int | None = None
    """How many tokens prompt and answer may take together; None: what the provider says of the model."""
    rubric: str | None = None
    """Path of a Markdown file to grade by, one `## name` block per criterion; None: the built-in rubric."""
    conversations_per_prompt: int = 1
    """How many conversations of a project are asked about in one prompt, at most 50; 10 is a good number."""
    gather_seconds: float = 0.005
    """How long one waits for others to fill a prompt, at most 1."""
    with_checks: bool = True
    """Whether the model is told what the deterministic checks have found."""
    logprobs: bool = False
    """Whether the server is asked for the probability of each token, from which confidence is measured. It makes
    answers many times as long to read, and works with one conversation in a prompt."""
    combine: Literal["mean", "weighted", "vote", "cascade"] = "mean"
    """What is made of the answers of several models: the mean of their scores, the mean by `weights`, the majority, or
    a cascade that asks the next one only where those before were uncertain."""
    weights: dict[str, float] = {}
    """With `weighted`: model to weight, above 0; one that is not named has 1."""
    band: tuple[float, float] = (0.3, 0.7)
    """With `cascade`: an overall score from the first to the second, both included, is uncertain."""


def read_options(table: Mapping[str, Any], evaluator: str = "judge") -> Options:
    """Read the evaluator's own table of the settings.

    Raises:
        ConfigError: an option is unknown, or has the wrong type or range; the message names it.
    """
    options = convert_options(evaluator, table, Options)

    def expect(name: str, expected: str, *, holds: bool) -> None:
        if not holds:
            got = getattr(options, name)
            raise ConfigError(f"evaluators.{evaluator}.{name}: expected {expected}, got {got!r}")

    if options.concurrency is not None:
        expect("concurrency", "1 or more", holds=options.concurrency >= 1)
    expect("max_output_tokens", "256 or more", holds=options.max_output_tokens >= 256)
    if options.context_tokens is not None:
        least = 2 * options.max_output_tokens
        expect("context_tokens", f"{least} or more", holds=options.context_tokens >= least)
    several = 1 <= options.conversations_per_prompt <= MOST_CONVERSATIONS
    expect("conversations_per_prompt", f"1 to {MOST_CONVERSATIONS}", holds=several)
    expect("gather_seconds", f"0 to {MOST_GATHERING_SECONDS:g}", holds=0 <= options.gather_seconds <= 1)
    expect("weights", "numbers above 0", holds=all(0 < weight < math.inf for weight in options.weights.values()))
    low, high = options.band
    expect("band", "two numbers in [0, 1], the lower first", holds=0 <= low <= high <= 1)
    return options
