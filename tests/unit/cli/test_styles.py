"""Do numbers look like what they are?"""

from __future__ import annotations

import pytest

from healing_eval.cli.styles import SEVERITY_MARKS, bar, mean_text, score_text, share_text, stdout_console
from healing_eval.metaeval.intervals import RunningMean, wilson_interval
from healing_eval.pipeline.summary import Tally


def test_a_single_score_has_no_interval() -> None:
    scores = RunningMean()
    scores.add(0.7)

    assert mean_text(scores).plain == "0.70 (n = 1)"
    assert mean_text(RunningMean()).plain == "not measured"


def test_a_score_is_never_rounded_to_perfection_or_nothing() -> None:
    assert [score_text(score).plain for score in (1.0, 0.999, 0.0, 0.001)] == ["1.00", ">.99", "0.00", "<.01"]


@pytest.mark.parametrize("counts", [(1, 0, 0), (1000, 1, 1), (1, 1, 1000), (5, 5, 0)])
def test_whatever_occurred_is_seen_in_the_bar(counts: tuple[int, int, int]) -> None:
    tally = Tally()
    tally.passes, tally.fails, tally.unknown = counts

    drawn = bar(tally, width=20).plain

    assert len(drawn) == 20
    assert [mark in drawn for mark in "█▓░"] == [count > 0 for count in counts]


def test_a_share_carries_its_bounds() -> None:
    share = wilson_interval(9, 10)

    assert share is not None
    assert share_text(share).plain == "90.0 % (59.6–98.2)"


def test_severities_are_told_apart_without_colours() -> None:
    assert len(set(SEVERITY_MARKS.values())) == len(SEVERITY_MARKS)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_width_that_was_asked_for_is_kept_where_nobody_watches(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    stdout_console().print("x" * 300)

    assert {len(line) for line in capsys.readouterr().out.splitlines()[:-1]} == {columns}
