from pathlib import Path

import pytest

from healing_eval.config import describe, read_settings
from healing_eval.errors import ConfigError


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def source_of(name: str, **arguments: object) -> str:
    settings = read_settings(**arguments)
    return next(source for found, _, source, _ in describe(settings, **arguments) if found == name)


def test_without_anything_the_defaults_run_on_a_laptop(tmp_path: Path) -> None:
    settings = read_settings()

    assert settings.host == "127.0.0.1"
    assert settings.port == 8080
    assert settings.effective_store_url == f"sqlite:///{tmp_path}/healing-eval-data/healing-eval.db"
    assert settings.limits.body_bytes == 16 * 1024 * 1024


def test_arguments_win_over_environment_over_file_over_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "healing-eval.toml").write_text("port = 1\n[limits]\nbatch = 7\nturns = 9\n")
    monkeypatch.setenv("HEALING_EVAL_PORT", "2")
    monkeypatch.setenv("HEALING_EVAL_LIMITS__BATCH", "8")

    settings = read_settings(port=3)

    assert (settings.port, settings.limits.batch, settings.limits.turns) == (3, 8, 9)
    assert source_of("port", port=3) == "argument"
    assert source_of("limits.batch") == "environment"
    assert source_of("limits.turns") == "healing-eval.toml"
    assert source_of("limits.id_characters") == "default"


def test_a_typo_in_the_toml_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "healing-eval.toml").write_text("[limits]\nbathc = 7\n")

    with pytest.raises(ConfigError, match=r"unknown setting 'limits\.bathc'"):
        read_settings()


def test_a_toml_file_that_is_no_toml_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "healing-eval.toml").write_text("port = = 3")

    with pytest.raises(ConfigError, match=r"healing-eval\.toml"):
        read_settings()


def test_a_typo_in_the_environment_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_STOER_URL", "sqlite:///x.db")

    with pytest.raises(ConfigError, match="HEALING_EVAL_STOER_URL"):
        read_settings()


def test_the_folder_of_real_data_is_no_setting_of_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_REALDATA_DIR", "somewhere")

    assert read_settings().port == 8080


def test_a_value_out_of_range_says_what_was_expected() -> None:
    with pytest.raises(ConfigError, match=r"setting 'port': input should be less than or equal to 65535, got 70000"):
        read_settings(port=70000)


def test_options_of_an_evaluator_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_EVALUATORS__HEURISTIC__TURN_WARN_SECONDS", "3")

    assert read_settings().evaluators == {"heuristic": {"turn_warn_seconds": "3"}}
