"""Are settings shown with their source, and secrets not at all?"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from healing_eval.cli.main import main
from healing_eval.cli.settings import masked


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)


def test_each_setting_says_where_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_PORT", "9999")
    (tmp_path / "healing-eval.toml").write_text("[judge]\ntimeout_seconds = 5\n")

    result = CliRunner().invoke(main, ["settings", "--format", "json"])

    lines = {line["name"]: line for line in msgspec.json.decode(result.output)}
    assert (lines["port"]["value"], lines["port"]["source"]) == (9999, "environment")
    assert lines["judge.timeout_seconds"]["source"] == "healing-eval.toml"
    assert lines["host"]["source"] == "default"
    assert lines["judge.model"]["environment"] == "HEALING_EVAL_JUDGE__MODEL"
    assert all(line["description"] for line in lines.values())


def test_the_table_shows_every_name() -> None:
    result = CliRunner().invoke(main, ["settings"])

    assert result.exit_code == 0
    assert "worker.max_attempts" in result.output


def test_a_wrong_setting_is_an_error_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_PRT", "1")

    result = CliRunner().invoke(main, ["settings"])

    assert result.exit_code == 2
    assert "HEALING_EVAL_PRT" in result.stderr


def test_secrets_are_masked_wherever_they_are() -> None:
    assert masked("postgresql://me:hunter2@db/x") == "postgresql://***@db/x"
    assert masked({"api_key": "abc", "url": "https://u:p@h", "keys": 3}) == {
        "api_key": "***",
        "url": "https://***@h",
        "keys": "***",
    }
    assert masked("hunter2", "evaluators.judge.token") == "***"
    assert masked(8080, "port") == 8080
