"""Are plug-ins listed, and broken ones told from sound ones?"""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from healing_eval import plugins as registry
from healing_eval.cli.main import main
from healing_eval.cli.plugins import lines_of
from healing_eval.config import Settings


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def broken_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('broken while imported')")
    monkeypatch.syspath_prepend(tmp_path)
    found = {"broken": EntryPoint("broken", "broken_plugin:Broken", registry.STREAM)}
    monkeypatch.setattr(registry, "found", lambda group: found)


def test_every_plugin_is_listed_with_its_origin() -> None:
    result = CliRunner().invoke(main, ["plugins", "--format", "json"])

    lines = {(line["group"], line["name"]): line for line in msgspec.json.decode(result.output)}
    assert {name for group, name in lines if group == registry.EVALUATORS} >= {"heuristic", "judge"}
    heuristic = lines[registry.EVALUATORS, "heuristic"]
    assert heuristic["distribution"].startswith("healing-eval ")
    assert heuristic["evaluator"]["weight"] == 20
    assert heuristic["evaluator"]["lane"] == "checks"


def test_the_table_shows_every_group() -> None:
    result = CliRunner().invoke(main, ["plugins"])

    assert result.exit_code == 0
    assert all(group.removeprefix("healing_eval.") in result.output for group in registry.GROUPS)


def test_options_that_are_set_are_shown(tmp_path: Path) -> None:
    (tmp_path / "healing-eval.toml").write_text("[evaluators.heuristic]\nturn_warn_seconds = 3\n")

    assert "turn_warn_seconds = 3" in CliRunner().invoke(main, ["plugins"]).output


def test_an_option_that_is_refused_is_shown_with_its_evaluator_only(tmp_path: Path) -> None:
    (tmp_path / "healing-eval.toml").write_text("[evaluators.heuristic]\nno_such_option = 3\n")

    result = CliRunner().invoke(main, ["plugins", "--format", "json"])

    errors = {line["name"]: line["error"] for line in msgspec.json.decode(result.output)}
    assert "no_such_option" in errors["heuristic"]
    assert "no_such_option" not in (errors["tool_call"] or "")


@pytest.mark.usefixtures("broken_plugin")
def test_a_plugin_that_cannot_be_imported_is_shown_with_its_error() -> None:
    (line,) = lines_of(registry.STREAM, Settings())

    assert line.error == "RuntimeError: broken while imported"


def test_a_wrong_model_is_held_against_those_that_need_one_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_JUDGE__MODEL", "gpt-4o")

    result = CliRunner().invoke(main, ["plugins", "--format", "json"])

    lines = {line["name"]: line for line in msgspec.json.decode(result.output)}
    assert [name for name, line in lines.items() if line["error"]] == []
    assert [name for name, line in lines.items() if line["lacks"]] == ["judge"]
    assert "provider:model" in lines["judge"]["lacks"]
    assert "cannot measure" in CliRunner().invoke(main, ["plugins"]).output


def test_an_option_that_is_a_secret_is_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "healing-eval.toml").write_text('[evaluators.keeper]\napi_key = "hunter2"\nrounds = 3\n')
    (tmp_path / "keeper_plugin.py").write_text(KEEPER)
    monkeypatch.syspath_prepend(tmp_path)
    found = {"keeper": EntryPoint("keeper", "keeper_plugin:Keeper", registry.EVALUATORS)}
    monkeypatch.setattr(registry, "found", lambda group: found)

    said = (
        CliRunner().invoke(main, ["plugins"]).output + CliRunner().invoke(main, ["plugins", "--format", "json"]).output
    )

    assert "rounds = 3" in said
    assert "hunter2" not in said


KEEPER = """
class Keeper:
    name, version, weight, lane, needs = "keeper", "v1", 1.0, "checks", frozenset()
    inapplicable = evaluate = None

    @classmethod
    def create(cls, setup):
        return cls()
"""
