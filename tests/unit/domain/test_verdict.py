import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, Missing, Result, issue
from healing_eval.domain.issue_types import Severity
from healing_eval.domain.verdict import VerdictRules, weigh

RULES = VerdictRules({"heuristic": 20, "judge": 40, "tool_call": 25, "coherence": 15})


def evaluation(evaluator: str, result: Result, *, deterministic: bool = True) -> Evaluation:
    return Evaluation(b"k" * 16, evaluator, "v1", result, deterministic)


def test_the_weights_are_shared_among_those_that_measured() -> None:
    verdict = weigh(
        [
            evaluation("heuristic", Findings(1.0)),
            evaluation("tool_call", Findings(0.2)),
            evaluation("coherence", Abstention("one turn only")),
            evaluation("judge", Failure("timed out", "ModelUnavailable")),
        ],
        RULES,
    )

    assert verdict.overall == pytest.approx((20 * 1.0 + 25 * 0.2) / 45)
    assert verdict.weights == pytest.approx({"heuristic": 20 / 45, "tool_call": 25 / 45})
    assert verdict.missing == (Missing("coherence", "one turn only"), Missing("judge", "timed out"))


def test_nothing_measured_is_unknown_and_has_no_score() -> None:
    verdict = weigh([evaluation("judge", Failure("down", "ModelUnavailable"))], RULES)

    assert verdict.overall is None
    assert verdict.outcome == "unknown"
    assert Missing("heuristic", "did not run") in verdict.missing


def test_while_a_lane_is_outstanding_what_did_not_run_may_still_come() -> None:
    verdict = weigh([evaluation("heuristic", Findings(1.0))], RULES, final=False)

    assert Missing("judge", "not run yet") in verdict.missing


def test_too_little_measured_is_unknown() -> None:
    verdict = weigh([evaluation("heuristic", Findings(1.0))], RULES)

    assert verdict.overall is None
    assert verdict.outcome == "unknown"


def test_a_low_overall_fails() -> None:
    found = [evaluation("heuristic", Findings(0.4)), evaluation("tool_call", Findings(0.4))]

    assert weigh(found, RULES).outcome == "fail"


@pytest.mark.parametrize("severity", ["info", "warning", "error"])
def test_a_milder_issue_leaves_the_outcome_to_the_score(severity: Severity) -> None:
    grave = issue("loop", "again and again", severity=severity)
    found = [evaluation("heuristic", Findings(0.9, issues=(grave,))), evaluation("tool_call", Findings(0.9))]

    assert weigh(found, RULES).outcome == "pass"


def test_a_critical_issue_of_a_deterministic_evaluator_fails_whatever_the_mean() -> None:
    grave = issue("preference_violated", "meat for a vegetarian")
    found = [
        evaluation("coherence", Findings(0.9, issues=(grave,))),
        evaluation("judge", Findings(1.0), deterministic=False),
    ]

    verdict = weigh(found, RULES)

    assert verdict.overall is not None
    assert verdict.overall > 0.9
    assert verdict.outcome == "fail"


def test_a_critical_issue_fails_even_when_too_little_was_measured() -> None:
    grave = issue("preference_violated", "meat for a vegetarian")

    assert weigh([evaluation("coherence", Findings(0.2, issues=(grave,)))], RULES).outcome == "fail"


def test_a_critical_issue_of_a_judge_weighs_by_its_score_only() -> None:
    grave = issue("unsafe_response", "dangerous")
    found = [
        evaluation("heuristic", Findings(1.0)),
        evaluation("judge", Findings(0.8, issues=(grave,)), deterministic=False),
    ]

    assert weigh(found, RULES).outcome == "pass"


results = st.one_of(st.floats(0, 1).map(Findings), st.just(Abstention("no")), st.just(Failure("broke", "Boom")))


@given(st.dictionaries(st.sampled_from(sorted(RULES.weights)), results))
def test_overall_lies_between_the_lowest_and_the_highest_that_measured(found: dict[str, Result]) -> None:
    verdict = weigh([evaluation(name, result) for name, result in found.items()], RULES)

    measured = [result.overall for result in found.values() if isinstance(result, Findings)]
    if verdict.overall is not None:
        assert min(measured) - 1e-9 <= verdict.overall <= max(measured) + 1e-9
        assert sum(verdict.weights.values()) == pytest.approx(1)
    assert len(verdict.missing) == len(RULES.weights) - len(measured)
