"""What does the judge grade by?"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import msgspec

from healing_eval.domain.issue_types import ISSUE_TYPES
from healing_eval.errors import ConfigError

BEST_SCORE = 5

JUDGE_ISSUE_TYPES = (
    "incorrect_information",
    "unhelpful_response",
    "incomplete_response",
    "policy_violation",
    "unsafe_response",
    "poor_tone",
    "prompt_injection",
    "self_contradiction",
    "tool_contradiction",
    "preference_violated",
    "unanswered_request",
    "other",
)
"""What the model may choose from, all of them in `ISSUE_TYPES`."""

_CRITERION = re.compile(r"^## +([a-z][a-z0-9_]*) *$", re.MULTILINE)


class Rubric(msgspec.Struct, frozen=True):
    """Instructions and criteria, as the model reads them."""

    text: str
    criteria: tuple[str, ...]
    """Names, in the order of the text."""


def load_rubric(path: str | None = None) -> Rubric:
    """Load the built-in rubric, or one from a file.

    Raises:
        ConfigError: the file cannot be read, names no criterion, or names one twice.
    """
    prompts = files("healing_eval.evaluators.judge") / "prompts"
    graded_by = (prompts / "rubric.md").read_text("utf-8") if path is None else _read(path)
    criteria = tuple(_CRITERION.findall(graded_by))
    if not criteria or len(set(criteria)) != len(criteria):
        raise ConfigError(f"evaluators.judge.rubric: expected criteria as `## name`, each once, got {list(criteria)}")
    types = "\n".join(f"- {name}: {ISSUE_TYPES[name].meaning}" for name in JUDGE_ISSUE_TYPES)
    instructions = (prompts / "instructions.md").read_text("utf-8")
    return Rubric(f"{instructions}{types}\n\n{graded_by}", criteria)


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"evaluators.judge.rubric: cannot read {path!r}: {error}") from error
