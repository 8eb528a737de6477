from __future__ import annotations

from healing_eval.evaluators.coherence.scores import scores
from healing_eval.testing.builders import an_issue


def test_each_group_of_checks_has_a_score(talk) -> None:
    issues = [an_issue("tool_contradiction"), an_issue("preference_violated")]

    found = {score.name: score for score in scores(talk("u: Hello.", "a: Hi."), issues)}

    assert set(found) == {"frustration", "consistency", "answers", "preferences"}
    assert found["consistency"].value < 1
    assert found["answers"].value == 1
    assert found["preferences"].explanation == "1 violated preferences found"


def test_frustration_counts_the_last_turns_only(talk) -> None:
    lines = ["u: This is useless!!!", "a: Sorry.", *["u: Great, thanks.", "a: Sure."] * 4]

    short = next(iter(scores(talk(*lines, last_turns=1), [])))
    long = next(iter(scores(talk(*lines, last_turns=9), [])))

    assert 0 <= long.value < short.value <= 1


def test_without_words_of_the_user_frustration_is_not_scored(talk) -> None:
    assert "frustration" not in {score.name for score in scores(talk("u:", "a: Hi."), [])}
