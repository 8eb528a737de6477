"""Write docs/reference/settings.md and issue-types.md from the code; `make docs` runs this."""

from __future__ import annotations

from pathlib import Path

from healing_eval.config import PREFIX, Settings, describe
from healing_eval.domain.issue_types import ISSUE_TYPES

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"

SETTINGS_HEAD = f"""# Settings

First wins: arguments of the command, then `{PREFIX}*` in the environment (`__` nests), then `healing-eval.toml` in the
working folder, then the default. `healing-eval settings` prints each value and where it came from. An unknown name is
an error, in the file and in the environment.

| setting | environment | default | meaning |
|---|---|---|---|
"""

ISSUES_HEAD = """# Issue types

The one table of issue types. Evaluators report them, and people annotate with the same names. The severity is the one
reported unless the evaluator knows better.

| type | severity | meaning |
|---|---|---|
"""


def settings_page() -> str:
    rows = [
        f"| `{name}` | `{PREFIX}{name.replace('.', '__').upper()}` | `{value}` | {description} |"
        for name, value, _, description in describe(Settings.model_construct())
    ]
    return SETTINGS_HEAD + "\n".join(rows) + "\n"


def issue_types_page() -> str:
    rows = [f"| `{one.name}` | {one.severity} | {one.meaning} |" for one in ISSUE_TYPES.values()]
    return ISSUES_HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    (REFERENCE / "settings.md").write_text(settings_page())
    (REFERENCE / "issue-types.md").write_text(issue_types_page())
