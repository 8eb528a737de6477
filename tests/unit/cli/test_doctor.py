"""Does the doctor look at everything and judge by it?"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from healing_eval.cli.main import main


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)


def test_everything_is_looked_at_and_what_is_not_well_comes_with_advice() -> None:
    result = CliRunner().invoke(main, ["doctor", "--format", "json"])

    checks = msgspec.json.decode(result.output)
    names = {check["name"] for check in checks}
    assert names >= {"settings", "python", "clock", "data folder", "free space", "port", "store", "judge's model"}
    assert all(check["advice"] for check in checks if check["status"] != "ok")
    assert result.exit_code == any(check["status"] == "fail" for check in checks)


def test_wrong_settings_fail_and_end_the_examination(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_PORT", "many")

    result = CliRunner().invoke(main, ["doctor"])

    assert result.exit_code == 1
    assert "port" in result.output
    assert "1 check failed" in result.output


def test_a_typo_comes_with_what_was_meant_and_not_with_a_command_that_fails_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEALING_EVAL_PROT", "1")

    result = CliRunner().invoke(main, ["doctor"])

    assert "did you mean HEALING_EVAL_PORT?" in result.output
    assert "healing-eval settings" not in result.output


def test_one_wrong_setting_is_one_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_JUDGE__MODEL", "gpt-4o")

    result = CliRunner().invoke(main, ["doctor", "--format", "json"])

    failed = [check for check in msgspec.json.decode(result.output) if check["status"] == "fail"]
    assert [check["name"] for check in failed] == ["judge's model"]
    assert "'judge.model' must be provider:model" in failed[0]["detail"]


def test_a_folder_whose_store_is_something_else_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "healing-eval.db").write_text("these are my notes")

    result = CliRunner().invoke(main, ["doctor", "--data", str(tmp_path), "--format", "json"])

    checks = {check["name"]: check for check in msgspec.json.decode(result.output)}
    assert result.exit_code == 1
    assert checks["store"]["status"] == "fail"
    assert str(tmp_path / "healing-eval.db") in checks["store"]["detail"]
    assert "--data" in checks["store"]["advice"]
    assert (tmp_path / "healing-eval.db").read_text() == "these are my notes"


@pytest.mark.parametrize(
    ("url", "status", "detail"),
    [
        (None, "ok", "what judge asks may wait for batches of openai:gpt-4o"),
        ("http://127.0.0.1:1/v1", "fail", "no deployment of openai:gpt-4o takes batches"),
    ],
)
def test_it_is_told_whether_what_may_wait_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str | None, status: str, detail: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setenv("HEALING_EVAL_JUDGE__MODEL", "openai:gpt-4o")
    monkeypatch.setenv("HEALING_EVAL_BATCHES__NOT_URGENT", '["judge"]')
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("OPENAI_BASE_URL", url)

    result = CliRunner().invoke(main, ["doctor", "--data", str(tmp_path), "--format", "json"])

    checks = {check["name"]: check for check in msgspec.json.decode(result.output)}
    assert checks["batches"]["status"] == status
    assert detail in checks["batches"]["detail"]
