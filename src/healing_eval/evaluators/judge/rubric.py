"""What does the judge grade by?"""

from __future__ import annotations

import re
from hashlib import blake2b
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

COHERENCE_ISSUE_TYPES = (
    "self_contradiction",
    "tool_contradiction",
    "user_contradiction",
    "preference_violated",
    "unanswered_request",
    "user_rephrasing",
    "user_frustration",
    "prompt_injection",
    "other",
)
TOOL_USE_ISSUE_TYPES = (
    "ungrounded_argument",
    "unfounded_call",
    "unmade_call",
    "unexpected_call",
    "repeated_call",
    "unrecovered_error",
    "result_contradicted",
    "tool_contradiction",
    "policy_violation",
    "prompt_injection",
    "other",
)

_CRITERION = re.compile(r"^## +([a-z][a-z0-9_]*) *$", re.MULTILINE)


class Rubric(msgspec.Struct, frozen=True):
    """Instructions and criteria, as the model reads them."""

    text: str
    criteria: tuple[str, ...]
    """Names, in the order of the text."""
    issue_types: tuple[str, ...] = JUDGE_ISSUE_TYPES
    several: str = ""
    """The same text for a question about several conversations."""

    @property
    def version(self) -> str:
        """Hash of what the model reads."""
        return blake2b(f"{self.text}{self.several}".encode(), digest_size=6).hexdigest()


class BuiltIn(msgspec.Struct, frozen=True):
    """What an evaluator grades by if nothing else is said."""

    evaluator: str
    file: str
    issue_types: tuple[str, ...]


QUALITY = BuiltIn("judge", "rubric.md", JUDGE_ISSUE_TYPES)
COHERENCE = BuiltIn("coherence_judge", "coherence.md", COHERENCE_ISSUE_TYPES)
TOOL_USE = BuiltIn("tool_use_judge", "tool_use.md", TOOL_USE_ISSUE_TYPES)


def load_rubric(path: str | None = None, built_in: BuiltIn = QUALITY, *, with_checks: bool = False) -> Rubric:
    """Load a built-in rubric, or one from a file.

    Args:
        path: of a Markdown file with one `## name` block for each criterion; None: the built-in one.
        built_in: whose.
        with_checks: whether the model is shown what deterministic checks have found.

    Raises:
        ConfigError: the file cannot be read, names no criterion, or names one twice.
    """
    setting = f"evaluators.{built_in.evaluator}.rubric"
    graded_by = _part(built_in.file) if path is None else _read(path, setting)
    criteria = tuple(_CRITERION.findall(graded_by))
    if not criteria or len(set(criteria)) != len(criteria):
        raise ConfigError(f"{setting}: expected criteria as `## name`, each once, got {list(criteria)}")
    types = "\n".join(f"- {name}: {ISSUE_TYPES[name].meaning}" for name in built_in.issue_types)
    checks = _part("checks.md") if with_checks else ""
    text = f"{_part('instructions.md')}{types}\n{checks}\n{graded_by}"
    return Rubric(text, criteria, built_in.issue_types, text + _part("several.md"))


def _part(file: str) -> str:
    return (files("healing_eval.evaluators.judge") / "prompts" / file).read_text("utf-8")


def _read(path: str, setting: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{setting}: cannot read {path!r}: {error}") from error
