from __future__ import annotations

from typing import Any

import pytest

from healing_eval.errors import ConfigError
from healing_eval.evaluators.coherence.options import Options, read_options


def test_options_may_be_written_as_text() -> None:
    assert read_options({"last_turns": "2"}) == Options(last_turns=2)


@pytest.mark.parametrize(
    "table",
    [
        {"last_turn": 3},
        {"last_turns": 0},
        {"last_turns": "many"},
        {"frustration_threshold": 1.5},
        {"rephrasing_threshold": -1},
    ],
)
def test_a_wrong_option_is_named(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(table))):
        read_options(table)
