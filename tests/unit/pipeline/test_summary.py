"""Does a summary count what happened, and stay small?"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, Issue, Outcome, Result, Verdict
from healing_eval.pipeline.summary import Bounds, Summary


def verdict(overall: float | None, outcome: Outcome | None = None) -> Verdict:
    return Verdict(overall, outcome or ("unknown" if overall is None else "fail" if overall < 0.5 else "pass"))


def evaluation(result: Result, evaluator: str = "toy") -> Evaluation:
    return Evaluation(b"key", evaluator, "v1", result)


def found(*issues: Issue, overall: float = 0.5) -> Evaluation:
    return evaluation(Findings(overall, issues=issues))


def defect(signature: str = "loop#1", severity: str = "error", description: str = "went round") -> Issue:
    return Issue("loop", severity, description, signature, turn_id="m3")  # pyright: ignore[reportArgumentType]


def test_outcomes_are_counted_and_unknown_ones_move_no_share() -> None:
    summary = Summary()

    for one in [verdict(0.9), verdict(0.8), verdict(0.2), verdict(None)]:
        summary.add("c", "v1", one, [])

    share = summary.total.pass_share()
    assert (summary.total.passes, summary.total.fails, summary.total.unknown) == (2, 1, 1)
    assert share is not None
    assert (share.estimate, share.n) == (pytest.approx(2 / 3), 3)
    assert summary.total.overall.mean == pytest.approx((0.9 + 0.8 + 0.2) / 3)
    assert summary.measured == 3


def test_nothing_measured_has_neither_share_nor_mean() -> None:
    summary = Summary()

    summary.add("c", "v1", verdict(None), [evaluation(Abstention("one turn"))])

    assert summary.measured == 0
    assert summary.total.pass_share() is None
    assert summary.total.overall.mean is None


def test_conversations_without_the_agent_are_in_no_other_count() -> None:
    summary = Summary()

    summary.add_unevaluable()

    assert summary.unevaluable == 1
    assert summary.total.n == 0


def test_agent_versions_are_told_apart() -> None:
    summary = Summary()

    summary.add("a", "v1", verdict(0.9), [])
    summary.add("b", "v2", verdict(0.1), [])

    assert summary.versions["v1"].passes == 1
    assert summary.versions["v2"].fails == 1


def test_versions_beyond_the_bound_are_counted_together() -> None:
    summary = Summary(Bounds(agent_versions=2))

    for n in range(10):
        summary.add("c", f"v{n % 5}", verdict(0.9), [])

    assert {name: tally.n for name, tally in summary.versions.items()} == {"v0": 2, "v1": 2}
    assert summary.other_versions.n == 6


def test_what_was_not_measured_is_told_with_its_reason() -> None:
    summary = Summary()
    broken = Failure("no answer from host 10.0.0.1", "ModelUnavailable")

    summary.add("a", "v1", verdict(0.9), [found(overall=0.9), evaluation(Abstention("no tools"), "tool_call")])
    summary.add("b", "v1", verdict(0.9), [found(overall=0.7), evaluation(broken, "tool_call")])

    toy, tool_call = summary.evaluators["toy"], summary.evaluators["tool_call"]
    assert (toy.measured, toy.scores.mean) == (2, pytest.approx(0.8))
    assert (tool_call.measured, tool_call.abstained, tool_call.failed) == (0, 1, 1)
    assert tool_call.reasons == {"no tools": 1, "failed: ModelUnavailable": 1}
    assert tool_call.example_failure == "no answer from host 10.0.0.1"


def test_reasons_beyond_the_bound_are_counted_together() -> None:
    summary = Summary(Bounds(reasons=2))

    for n in range(5):
        summary.add("c", "v", verdict(None), [evaluation(Abstention(f"reason {n}"))])

    assert summary.evaluators["toy"].reasons == {"reason 0": 1, "reason 1": 1, "other reasons": 3}


def test_the_worst_failed_first_then_scored_lowest_then_had_most_grave_issues() -> None:
    summary = Summary(Bounds(worst=5, worst_alike=5))

    summary.add("low pass", "v", verdict(0.55), [found(defect())])
    summary.add("critical", "v", verdict(0.9, "fail"), [found(defect(severity="critical"))])
    summary.add("one grave", "v", verdict(0.2), [found(defect(), defect(severity="info"))])
    summary.add("two grave", "v", verdict(0.2), [found(defect(), defect())])
    summary.add("unscored", "v", verdict(None, "fail"), [found(defect(severity="critical"))])

    assert [one.conversation_id for one in summary.worst()] == [
        "two grave",
        "one grave",
        "critical",
        "unscored",
        "low pass",
    ]


def test_a_conversation_without_any_issue_is_not_among_the_worst() -> None:
    summary = Summary()

    summary.add("fine", "v", verdict(0.99), [found(overall=0.99)])

    assert summary.worst() == []


def test_a_worst_conversation_names_its_gravest_issue() -> None:
    summary = Summary()
    grave = defect(severity="critical", description="the grave one")

    summary.add("c", "v", verdict(0.1), [found(defect(severity="info"), grave, defect())])

    worst = summary.worst()[0]
    assert (worst.top_issue, worst.issues, worst.grave_issues) == (grave, 3, 2)


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from("abcdefgh")), max_size=60), st.integers(0, 8))
def test_the_worst_are_those_that_sorting_everything_would_give(made: list[tuple[int, str]], kept: int) -> None:
    summary = Summary(Bounds(worst=kept, worst_alike=3, signatures=4))

    for n, (score, signature) in enumerate(made):
        summary.add(str(n), "v", verdict(score / 20), [found(defect(signature))])

    by_score = sorted(range(len(made)), key=lambda n: (made[n][0], n))
    alike = Counter[str]()
    expected: list[str] = []
    for n in by_score:
        alike[made[n][1]] += 1
        if alike[made[n][1]] <= 3:
            expected.append(str(n))
    assert [one.conversation_id for one in summary.worst()] == expected[:kept]


def test_a_signature_counts_conversations_and_occurrences() -> None:
    summary = Summary()

    summary.add("a", "v", verdict(0.4), [found(defect(), defect(severity="critical"))])
    summary.add("b", "v", verdict(0.4), [found(defect()), found(defect("rare#2"))])

    top = summary.top_signatures(5)
    assert [(one.signature, one.conversations, one.occurrences, one.severity) for one in top] == [
        ("loop#1", 2, 3, "critical"),
        ("rare#2", 1, 1, "error"),
    ]
    assert top[0].examples == ["a", "b"]


def test_rare_signatures_are_forgotten_and_their_occurrences_are_not() -> None:
    summary = Summary(Bounds(signatures=10))

    for n in range(1000):
        summary.add("c", "v", verdict(0.4), [found(defect("common#0"), defect(f"rare#{n}"))])

    assert summary.signature_count <= 20
    assert summary.top_signatures(1)[0].occurrences == 1000
    kept = sum(one.occurrences for one in summary.top_signatures(100))
    assert kept + summary.signatures_dropped == 2000


def test_texts_of_others_are_cut() -> None:
    summary = Summary()
    long = "x" * 1_000_000

    summary.add("c", "v", verdict(0.4), [found(defect(description=long)), evaluation(Failure(long, "E"), "b")])
    summary.add("c", "v", verdict(0.4), [evaluation(Abstention(long), "b")])

    assert len(summary.top_signatures(1)[0].description) == 300
    assert len(summary.evaluators["b"].example_failure or "") == 300
    assert max(len(reason) for reason in summary.evaluators["b"].reasons) == 300
