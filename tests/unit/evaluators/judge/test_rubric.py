from __future__ import annotations

from pathlib import Path

import pytest

from healing_eval.domain.issue_types import ISSUE_TYPES
from healing_eval.errors import ConfigError
from healing_eval.evaluators.judge.rubric import JUDGE_ISSUE_TYPES, load_rubric


def test_the_built_in_rubric_names_its_criteria_and_explains_every_issue_type() -> None:
    rubric = load_rubric()

    assert set(JUDGE_ISSUE_TYPES) <= set(ISSUE_TYPES)
    for name in rubric.criteria:
        assert f"## {name}\n" in rubric.text
    for name in JUDGE_ISSUE_TYPES:
        assert f"- {name}: {ISSUE_TYPES[name].meaning}" in rubric.text


@pytest.mark.parametrize("text", ["", "# Title\nno criterion", "## twice\na\n## twice\nb", "## Not A Name\n"])
def test_a_file_without_clear_criteria_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rubric.md"
    path.write_text(text)

    with pytest.raises(ConfigError, match="## name"):
        load_rubric(str(path))


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "rubric.md"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"rubric\.md"):
        load_rubric(str(path))
