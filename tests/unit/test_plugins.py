import pytest

from healing_eval import plugins
from healing_eval.errors import ConfigError, PluginError


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(PluginError, match=r"no 'redsi' among healing_eval\.stream; known: .*memory"):
        plugins.load(plugins.STREAM, "redsi")


def test_a_url_without_a_known_scheme_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'oracle://x' needs one of the schemes .*sqlite"):
        plugins.load_for_url(plugins.LEDGER, "oracle://x")


def test_the_four_evaluators_are_plug_ins_like_any_other() -> None:
    assert {"heuristic", "tool_call", "coherence", "judge"} <= set(plugins.found(plugins.EVALUATORS))


def test_an_address_nobody_speaks_is_told_without_its_password() -> None:
    with pytest.raises(ConfigError, match=r"'store_url': 'postgres://\*\*\*@db/x' needs one of the schemes") as refusal:
        plugins.load_for_url(plugins.LEDGER, "postgres://ann:p@ss/w:ord@db/x")

    assert "w:ord" not in str(refusal.value)
