import json
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


@pytest.mark.parametrize("name", ["REALDATA_DIR", "VLLM"])
def test_what_only_tests_read_is_no_setting_of_the_product(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"HEALING_EVAL_{name}", "somewhere")

    assert read_settings().port == 8080


def test_a_value_out_of_range_says_what_was_expected() -> None:
    with pytest.raises(ConfigError, match=r"setting 'port': input should be less than or equal to 65535, got 70000"):
        read_settings(port=70000)


@pytest.mark.parametrize("seconds", [0, 3, 60])
def test_signs_of_life_come_every_second_so_that_nothing_hangs_sooner_than_after_three(seconds: float) -> None:
    assert read_settings(worker={"hung_after_seconds": seconds}).worker.hung_after_seconds == seconds

    with pytest.raises(ConfigError, match=r"'worker.hung_after_seconds': input should be 0 or at least 3, got 2.9"):
        read_settings(worker={"hung_after_seconds": 2.9})


def test_options_of_an_evaluator_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_EVALUATORS__HEURISTIC__TURN_WARN_SECONDS", "3")

    assert read_settings().evaluators == {"heuristic": {"turn_warn_seconds": "3"}}


def test_a_table_to_which_file_and_environment_add_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "healing-eval.toml").write_text("[verdict.weights]\njudge = 1\nheuristic = 2\n")
    monkeypatch.setenv("HEALING_EVAL_VERDICT__WEIGHTS__JUDGE", "3")

    assert read_settings().verdict.weights == {"judge": 3, "heuristic": 2}
    assert source_of("verdict.weights") == "environment, healing-eval.toml"


def test_a_source_that_others_cover_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "healing-eval.toml").write_text("[verdict.weights]\njudge = 1\n")
    monkeypatch.setenv("HEALING_EVAL_VERDICT__WEIGHTS", '{"judge": 3}')

    assert source_of("verdict.weights") == "environment"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("HEALING_EVAL_PROT", "HEALING_EVAL_PORT"),
        ("HEALING_EVAL_JUDGE_MODEL", "HEALING_EVAL_JUDGE__MODEL"),
        ("HEALING_EVAL_STOER_URL", "HEALING_EVAL_STORE_URL"),
    ],
)
def test_a_typo_in_the_environment_is_answered_with_the_nearest_name(
    wrong: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(wrong, "1")

    with pytest.raises(ConfigError, match=rf"{wrong} in the environment; did you mean {meant}\?"):
        read_settings()


def test_a_name_like_no_other_is_answered_with_all_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_XYZZY", "1")

    with pytest.raises(ConfigError, match=r"known: data_dir, .*limits\.batch, "):
        read_settings()


def test_a_typo_in_the_file_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "healing-eval.toml").write_text("[limits]\nbathc = 7\n")

    with pytest.raises(ConfigError, match=r"did you mean limits\.batch\?"):
        read_settings()


@pytest.mark.parametrize(
    ("variable", "name"), [("HEALING_EVAL_LIMITS", "limits"), ("HEALING_EVAL_VERDICT__WEIGHTS", r"verdict\.weights")]
)
def test_a_table_that_is_no_json_is_named_with_what_was_given_and_expected(
    variable: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "nonjson" * 100)

    with pytest.raises(
        ConfigError, match=rf"setting '{name}': expected a JSON object.*, got 'nonjson.*… in {variable}"
    ):
        read_settings()


def test_options_that_cannot_be_read_may_hold_secrets_and_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_EVALUATORS", '{"judge": {"api_key": "hunter2"')

    with pytest.raises(ConfigError, match="setting 'evaluators': expected a JSON object") as refused:
        read_settings()

    assert "hunter2" not in str(refused.value)


PRICED = """[prices."openai:mine"]
input_dollars_per_million = 0
output_dollars_per_million = 2.5
"""


def test_a_price_is_set_by_model_and_may_be_0(tmp_path: Path) -> None:
    (tmp_path / "healing-eval.toml").write_text(PRICED)

    price = read_settings().prices["openai:mine"]

    assert (price.input_dollars_per_million, price.output_dollars_per_million) == (0, 2.5)
    assert price.cached_input_dollars_per_million is None
    assert source_of("prices") == "healing-eval.toml"


def test_a_price_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    price = {"input_dollars_per_million": 1, "output_dollars_per_million": 2, "cached_input_dollars_per_million": 0.5}
    monkeypatch.setenv("HEALING_EVAL_PRICES", json.dumps({"openai:Mine-2": price}))

    assert read_settings().prices["openai:Mine-2"].model_dump() == price


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("= 0", "= -1", r"'prices\.openai:mine\.input_dollars_per_million': .* greater than or equal to 0, got -1$"),
        ("= 0", "= nan", r"'prices\.openai:mine\.input_dollars_per_million': .* finite number, got nan$"),
        ("= 0", "= inf", r"'prices\.openai:mine\.input_dollars_per_million': .* finite number, got inf$"),
        ("= 0", "= 'free'", r"'prices\.openai:mine\.input_dollars_per_million': .* valid number.*, got 'free'$"),
        ("input_", "inptu_", r"unknown setting 'prices\.openai:mine\.inptu_.*did you mean .*mine\.input_dollars_per_m"),
        ("output_dollars_per_million = 2.5", "", r"'prices\.openai:mine\.output_dollars_per_million': field required"),
        ("openai:mine", "mine", r"'prices\.mine': expected provider:model, such as openai:gpt-4o-mini, got 'mine'$"),
        ("openai:mine", "openai:", r"'prices\.openai:': expected provider:model"),
    ],
)
def test_a_wrong_price_is_one_line_that_names_it(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    (tmp_path / "healing-eval.toml").write_text(PRICED.replace(right, wrong))

    with pytest.raises(ConfigError, match=said) as error:
        read_settings()

    assert "\n" not in str(error.value)


BUDGETED = """[budgets.daily]
period = "day"
dollars = 20
"""


def test_a_budget_is_a_table_by_a_name_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "healing-eval.toml").write_text(BUDGETED)

    budget = read_settings().budgets["daily"]

    assert (budget.period, budget.dollars, budget.tokens) == ("day", 20.0, None)
    assert (budget.project, budget.evaluator, budget.soft_share, budget.least_share) == (None, None, 0.8, 0.1)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("= 20", "= 0", r"'budgets\.daily\.dollars': input should be greater than 0, got 0$"),
        ("dollars = 20", "", r"'budgets\.daily': expected dollars, tokens or both, got .*$"),
        ("dollars = 20", "tokens = 0", r"'budgets\.daily\.tokens': input should be greater than 0, got 0$"),
        ('"day"', '"week"', r"'budgets\.daily\.period': input should be 'day' or 'month', got 'week'$"),
        ("= 20", "= 20\nsoft_share = 1.1", r"'budgets\.daily\.soft_share': .*less than or equal to 1, got 1\.1$"),
        ("= 20", "= 20\nleast_share = 0", r"'budgets\.daily\.least_share': .*greater than 0, got 0$"),
        ("dollars", "dolars", r"unknown setting 'budgets\.daily\.dolars'; did you mean budgets\.daily\.dollars\?$"),
        ("daily", '"a b"', r"'budgets\.a b': .*match pattern.*, got 'a b'$"),
    ],
)
def test_a_wrong_budget_is_one_line_that_names_it(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    (tmp_path / "healing-eval.toml").write_text(BUDGETED.replace(right, wrong))

    with pytest.raises(ConfigError, match=said) as error:
        read_settings()

    assert "\n" not in str(error.value)
