"""Are settings shown with their source, and secrets not at all?"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from healing_eval.cli.main import main


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


def test_a_section_set_as_json_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_LIMITS", '{"batch": 5}')

    result = CliRunner().invoke(main, ["settings", "--format", "json"])

    lines = {line["name"]: line for line in msgspec.json.decode(result.output)}
    assert (lines["limits.batch"]["value"], lines["limits.batch"]["source"]) == (5, "environment")
    assert lines["limits.turns"]["source"] == "default"


def test_a_refused_setting_does_not_send_the_reader_to_the_command_that_refused_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEALING_EVAL_PROT", "1")

    result = CliRunner().invoke(main, ["settings"])

    assert result.exit_code == 2
    assert "did you mean HEALING_EVAL_PORT?" in result.stderr
    assert "healing-eval settings" not in result.stderr


def test_an_option_that_is_a_secret_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_EVALUATORS__JUDGE__API_KEY", "hunter2")
    monkeypatch.setenv("HEALING_EVAL_STORE_URL", "postgresql://db/x?password=hunter2")

    said = [CliRunner().invoke(main, verb.split()).output for verb in ("settings", "plugins", "doctor", "keys list")]

    assert not [text for text in said if "hunter2" in text]
