from __future__ import annotations

from typing import Any

import pytest

from healing_eval.errors import ConfigError
from healing_eval.evaluators.judge.options import Options, read_options


def test_without_options_the_defaults_hold() -> None:
    assert read_options({}) == Options()


def test_numbers_from_the_environment_are_texts() -> None:
    assert read_options({"concurrency": "4"}).concurrency == 4


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({"rubrik": "x"}, "rubrik.*known: concurrency"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": "many"}, "concurrency"),
        ({"max_output_tokens": 10}, "max_output_tokens"),
        ({"context_tokens": 3000}, "context_tokens"),
        ({"rubric": 5}, "rubric"),
    ],
)
def test_a_wrong_option_is_named(table: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        read_options(table)
