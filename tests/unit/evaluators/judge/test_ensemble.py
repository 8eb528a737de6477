"""Is a jury's value between its votes, and its confidence no greater than what it rests on?"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.evaluators.judge.ballots import Ballot, MissingVote, NoVote, Vote
from healing_eval.evaluators.judge.correlation import Correlations
from healing_eval.evaluators.judge.ensemble import Combined, Method, combine

METHODS: list[Method] = ["mean", "weighted", "vote"]
UNIT = st.floats(0, 1, allow_nan=False)
WEIGHTS = st.floats(0.01, 100, allow_nan=False)
SAID = st.lists(st.tuples(UNIT, WEIGHTS), min_size=1, max_size=6)


def votes(*values: float) -> list[Ballot]:
    return [Vote(f"judge {place}", value) for place, value in enumerate(values)]


def weighed(said: list[tuple[float, float]]) -> list[Ballot]:
    return [Vote(f"judge {place}", value, weight) for place, (value, weight) in enumerate(said)]


def combined(ballots: list[Ballot], method: Method = "mean", correlations: Correlations | None = None) -> Combined:
    found = combine(ballots, method, correlations)
    assert isinstance(found, Combined)
    return found


def test_the_mean_weighs_all_alike_unless_weights_are_asked_for() -> None:
    ballots: list[Ballot] = [Vote("a", 0.9, 3.0), Vote("b", 0.1, 1.0)]

    assert combined(ballots).value == pytest.approx(0.5)
    assert combined(ballots, "weighted").value == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("values", "value"),
    [((0.6, 0.6, 0.0), 1.0), ((0.4, 0.4, 1.0), 0.0), ((0.9, 0.1), 0.5), ((0.5, 0.9), 1.0), ((0.5,), 0.5)],
)
def test_a_vote_counts_sides_not_how_far_they_are(values: tuple[float, ...], value: float) -> None:
    assert combined(votes(*values), "vote").value == value


@pytest.mark.parametrize(
    ("values", "confidence"),
    [((1, 1, 1), 1.0), ((1, 1, 0), 1 / 3), ((1, 1, 1, 0), 0.5), ((1, 0), 0.0), ((0.8, 0.2), 0.4), ((0.7, 0.7), 1.0)],
)
def test_confidence_is_how_close_the_votes_stand(values: tuple[float, ...], confidence: float) -> None:
    assert combined(votes(*values)).confidence == pytest.approx(confidence)


def test_of_a_vote_only_the_sides_must_agree() -> None:
    assert combined(votes(0.6, 0.9), "vote").confidence == 1
    assert combined(votes(0.6, 0.9)).confidence == pytest.approx(0.7)


def test_one_judge_alone_agrees_with_nobody() -> None:
    found = combined([Vote("a", 0.9), MissingVote("b", "no answer within 30 s")])

    assert found.value == 0.9
    assert found.confidence is None
    assert found.missing == (MissingVote("b", "no answer within 30 s"),)


def test_two_of_three_who_agree_are_no_surer_than_if_the_third_had_disagreed() -> None:
    found = combined([*votes(1, 1), MissingVote("late", "no answer")])

    assert found.confidence == pytest.approx(1 / 3)


def test_when_nobody_votes_there_is_no_value_but_every_reason() -> None:
    found = combine([MissingVote("a", "refused"), MissingVote("b", "no answer")])

    assert found == NoVote((MissingVote("a", "refused"), MissingVote("b", "no answer")))
    assert isinstance(found, NoVote)
    assert found.reason == "a: refused; b: no answer"
    assert isinstance(combine([]), NoVote)


def test_weights_make_a_jury_smaller_only_where_they_count() -> None:
    ballots: list[Ballot] = [Vote("a", 0.9, 3.0), Vote("b", 0.1, 1.0)]

    assert combined(ballots, "weighted").votes_by_weight == pytest.approx(1.6)
    assert combined(ballots).votes_by_weight == pytest.approx(2)


def test_the_effective_number_is_told_once_it_is_measured() -> None:
    seen = Correlations(["judge 0", "judge 1"])
    early = combined(votes(0.2, 0.3), correlations=seen)
    for item in range(40):
        seen.add({"judge 0": item % 2, "judge 1": item % 2})

    late = combined(votes(0.2, 0.3), correlations=seen)

    assert early.effective_votes is None
    assert late.effective_votes == pytest.approx(1)


def test_a_judge_has_one_ballot() -> None:
    with pytest.raises(ValueError, match="two of 'a'"):
        combine([Vote("a", 0.1), MissingVote("a", "no answer")])


@given(SAID, st.sampled_from(METHODS))
def test_a_value_lies_among_the_votes_and_confidence_in_0_to_1(said: list[tuple[float, float]], method: Method) -> None:
    found = combined(weighed(said), method)

    values = [value for value, _ in said]
    assert 0 <= found.value <= 1
    if method != "vote":
        assert min(values) <= found.value <= max(values)
    assert found.confidence is None if len(said) == 1 else 0 <= (found.confidence or 0) <= 1
    assert found.votes_by_weight * (1 + 1e-9) >= 1
    assert found.votes_by_weight <= len(said) * (1 + 1e-9)


@given(SAID.flatmap(lambda said: st.tuples(st.just(said), st.permutations(weighed(said)))), st.sampled_from(METHODS))
def test_the_order_of_the_judges_does_not_matter(
    drawn: tuple[list[tuple[float, float]], list[Ballot]], method: Method
) -> None:
    said, shuffled = drawn

    one, other = combined(weighed(said), method), combined(shuffled, method)

    assert one.value == other.value
    assert other.confidence == pytest.approx(one.confidence)
    assert one.votes_by_weight == other.votes_by_weight


@given(st.lists(st.tuples(UNIT, WEIGHTS), min_size=3, max_size=6), st.sampled_from(METHODS))
def test_a_vote_that_goes_missing_never_makes_surer(said: list[tuple[float, float]], method: Method) -> None:
    ballots = weighed(said)
    last = ballots[-1]

    whole = combined(ballots, method)
    lacking = combined([*ballots[:-1], MissingVote(last.judge, "no answer", last.weight)], method)

    assert lacking.confidence is not None
    assert whole.confidence is not None
    assert lacking.confidence <= whole.confidence + 1e-9


@given(st.lists(st.tuples(UNIT, WEIGHTS), min_size=2, max_size=6), st.sampled_from(METHODS))
def test_another_judge_who_was_asked_in_vain_makes_less_sure(said: list[tuple[float, float]], method: Method) -> None:
    before = combined(weighed(said), method)
    after = combined([*weighed(said), MissingVote("late", "no answer")], method)

    assert before.confidence is not None
    assert after.confidence is not None
    assert after.value == before.value
    assert after.confidence < before.confidence or before.confidence <= 1e-9


@given(st.lists(st.floats(0.501, 1), min_size=1, max_size=6), st.booleans())
def test_unanimous_judges_end_on_their_side_whatever_the_method(values: list[float], turned: bool) -> None:
    said = [1 - value if turned else value for value in values]

    sides = {combined(votes(*said), method).value > 0.5 for method in METHODS}

    assert sides == {not turned}
    assert combined(votes(*said), "vote").value == float(not turned)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_what_is_no_value_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"a: value: expected a number in \[0, 1\]"):
        Vote("a", value)
    with pytest.raises(ValueError, match=r"a: confidence: expected a number in \[0, 1\]"):
        Vote("a", 0.5, confidence=value)


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_weight_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="a: expected a weight above 0"):
        Vote("a", 0.5, weight)
    with pytest.raises(ValueError, match="a: expected a weight above 0"):
        MissingVote("a", "no answer", weight)
