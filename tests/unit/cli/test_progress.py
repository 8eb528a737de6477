"""Is the bar shown only where somebody watches?"""

from __future__ import annotations

import pytest

from healing_eval.cli.progress import progress_on


def test_nobody_watching_sees_lines_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_on(False, 100) as progress:
        progress.advance(50)
        progress.count(3)
        progress.tell("error: [bold]line 3[/bold]")

    assert capsys.readouterr().err == "error: [bold]line 3[/bold]\n"


@pytest.mark.parametrize("total", [100, None])
def test_a_bar_lets_lines_through_as_they_are(capsys: pytest.CaptureFixture[str], total: int | None) -> None:
    with progress_on(True, total) as progress:
        progress.advance(50)
        progress.count(3)
        progress.tell("error: [bold]line 3[/bold]")

    assert "error: [bold]line 3[/bold]\n" in capsys.readouterr().err
