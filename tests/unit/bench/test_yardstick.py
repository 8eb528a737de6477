"""Is a figure told with how fast the machine was?"""

from __future__ import annotations

import pytest
from bench import yardstick
from bench.production.rows import Round


def test_a_round_is_told_with_what_a_fixed_piece_of_work_took_around_it() -> None:
    found = yardstick.beside(lambda: Round(7.0, notes={"lost": 0.0}))

    assert (found.value, found.notes["lost"]) == (7.0, 0.0)
    assert found.notes["yardstick_ms"] > 0


def test_a_crash_of_the_work_is_not_taken_for_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yardstick.sys, "executable", "/bin/false")

    with pytest.raises(ValueError, match="could not convert"):
        yardstick.measure()
