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
