"""Is what a task group wraps raised as what it is?"""

from __future__ import annotations

import pytest

from healing_eval.cli.loops import groups_unwrapped
from healing_eval.errors import BackendError, ConfigError


def test_the_only_error_is_raised_by_itself_however_deep_it_was_wrapped() -> None:
    with pytest.raises(ZeroDivisionError), groups_unwrapped():
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [ZeroDivisionError()])])


def test_of_several_errors_of_ours_the_first_is_raised() -> None:
    with pytest.raises(ConfigError, match="first"), groups_unwrapped():
        raise ExceptionGroup("both", [ConfigError("first"), BackendError("second")])


def test_an_unexpected_error_among_several_is_not_hidden() -> None:
    with pytest.raises(ExceptionGroup, match="both"), groups_unwrapped():
        raise ExceptionGroup("both", [ConfigError("ours"), ZeroDivisionError()])
