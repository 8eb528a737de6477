"""Is every verb found, and every error told on one line with its exit code?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from healing_eval import __version__
from healing_eval.cli.main import VERBS, Verb, main
from healing_eval.errors import ConfigError


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


@pytest.fixture
def verb_that_fails() -> Iterator[list[BaseException]]:
    """A verb `fail` that raises what the test puts into the list."""
    errors: list[BaseException] = []

    @click.command()
    def fail() -> None:
        raise errors[0]

    sys.modules[__name__].__dict__["fail"] = fail
    VERBS["fail"] = Verb(f"{__name__}:fail", "Fail.")
    yield errors
    del VERBS["fail"]


def test_help_lists_every_verb(runner: CliRunner) -> None:
    result = runner.invoke(main, ["--help"])

    assert result.exit_code == 0
    assert all(name in result.output and verb.summary in result.output for name, verb in VERBS.items())


def test_help_imports_no_verb() -> None:
    code = "import sys; from healing_eval.cli.main import main; main(['--help'], standalone_mode=False); "
    code += "assert not {'rich', 'pydantic', 'asyncio'} & set(sys.modules), sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_version_is_told(runner: CliRunner) -> None:
    assert __version__ in runner.invoke(main, ["--version"]).output


@pytest.mark.parametrize("name", ["evaluate", "settings", "plugins", "doctor", "keys"])
def test_every_verb_explains_itself(runner: CliRunner, name: str) -> None:
    result = runner.invoke(main, [name, "--help"])

    assert result.exit_code == 0
    assert "Usage" in result.output


def test_a_typo_is_answered_with_the_nearest_verb(runner: CliRunner) -> None:
    result = runner.invoke(main, ["evalute"])

    assert result.exit_code == 2
    assert "did you mean 'evaluate'?" in result.output


def test_what_is_no_typo_of_anything_is_refused(runner: CliRunner) -> None:
    result = runner.invoke(main, ["\x1b[2Jxyzzy"])

    assert result.exit_code == 2
    assert "no verb" in result.output
    assert "\x1b" not in result.output


def test_an_error_of_ours_is_one_line_and_exit_code_2(runner: CliRunner, verb_that_fails: list[BaseException]) -> None:
    verb_that_fails.append(ConfigError("setting 'port' is\nwrong \x1b[2J"))

    result = runner.invoke(main, ["fail"])

    assert result.exit_code == 2
    assert result.stderr == "error: setting 'port' is wrong �[2J\n"


def test_an_unexpected_error_is_not_hidden(runner: CliRunner, verb_that_fails: list[BaseException]) -> None:
    verb_that_fails.append(ZeroDivisionError("a fault of ours"))

    result = runner.invoke(main, ["fail"])

    assert isinstance(result.exception, ZeroDivisionError)


def test_an_interrupt_is_no_judgement(runner: CliRunner, verb_that_fails: list[BaseException]) -> None:
    verb_that_fails.append(KeyboardInterrupt())

    assert runner.invoke(main, ["fail"]).exit_code == 130
