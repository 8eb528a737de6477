"""Is the strong judge asked only where the cheap one is uncertain, and does its word stand?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.evaluators.judge.ballots import MissingVote, NoVote, Vote
from healing_eval.evaluators.judge.cascade import Band, Cascaded, is_uncertain, settle

UNIT = st.floats(0, 1, allow_nan=False)
FAILED = MissingVote("cheap", "no answer within 30 s")


@pytest.mark.parametrize(
    ("value", "uncertain"), [(0.0, False), (0.29, False), (0.3, True), (0.5, True), (0.7, True), (0.71, False)]
)
def test_the_band_and_its_ends_are_uncertain(value: float, uncertain: bool) -> None:
    assert is_uncertain(Vote("cheap", value)) is uncertain


def test_a_cheap_judge_without_a_vote_is_uncertain() -> None:
    assert is_uncertain(FAILED)


@pytest.mark.parametrize(("confidence", "uncertain"), [(None, False), (0.59, True), (0.6, False)])
def test_low_confidence_is_uncertain_where_it_is_measured(confidence: float | None, uncertain: bool) -> None:
    assert is_uncertain(Vote("cheap", 0.9, confidence=confidence), Band(least_confidence=0.6)) is uncertain


@given(UNIT, UNIT, UNIT)
def test_a_wider_band_asks_at_least_as_often(value: float, low: float, high: float) -> None:
    low, high = sorted((low, high))
    narrow, wide = Band(low, high), Band(low / 2, (1 + high) / 2)

    assert is_uncertain(Vote("cheap", value), wide) >= is_uncertain(Vote("cheap", value), narrow)


@given(UNIT, UNIT)
def test_the_strong_judges_word_stands_and_both_are_kept(cheap: float, strong: float) -> None:
    found = settle(Vote("cheap", cheap), Vote("strong", strong, confidence=0.8))

    expected = Cascaded(
        strong, 0.8, "strong", cheap=Vote("cheap", cheap), strong=Vote("strong", strong, confidence=0.8)
    )
    assert found == expected


def test_a_certain_cheap_judges_word_stands_with_its_confidence() -> None:
    found = settle(Vote("cheap", 0.9, confidence=0.7), None)

    assert isinstance(found, Cascaded)
    assert (found.value, found.confidence, found.stands, found.missing) == (0.9, 0.7, "cheap", ())


def test_a_strong_judge_asked_in_vain_leaves_the_cheap_ones_word_without_confidence() -> None:
    failed = MissingVote("strong", "refused")

    found = settle(Vote("cheap", 0.6, confidence=0.7), failed)

    assert isinstance(found, Cascaded)
    assert (found.value, found.confidence, found.stands, found.missing) == (0.6, None, "cheap", (failed,))


def test_the_strong_judge_stands_in_for_a_cheap_one_that_failed() -> None:
    found = settle(FAILED, Vote("strong", 0.2))

    assert isinstance(found, Cascaded)
    assert (found.value, found.stands, found.missing) == (0.2, "strong", (FAILED,))


def test_without_any_vote_there_is_no_value() -> None:
    failed = MissingVote("strong", "refused")

    assert settle(FAILED, failed) == NoVote((FAILED, failed))
    assert settle(FAILED, None) == NoVote((FAILED,))


@pytest.mark.parametrize(("low", "high", "least"), [(0.7, 0.3, 0), (-0.1, 0.5, 0), (0.5, 1.1, 0), (0.3, 0.7, 2)])
def test_what_is_no_band_is_refused(low: float, high: float, least: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        Band(low, high, least)
