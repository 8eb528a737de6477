from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_eval.domain.evaluation import Abstention, Findings, score_of
from healing_eval.errors import ConfigError
from healing_eval.evaluators.coherence.evaluator import Coherence
from healing_eval.ports.evaluator import Evaluator, EvaluatorSetup
from healing_eval.testing.builders import a_conversation, a_tool_call, a_turn


def make(**options: object) -> Coherence:
    return Coherence.create(EvaluatorSetup(options))


async def test_every_conversation_gets_one_evaluation() -> None:
    evaluator: Evaluator = make()
    batch = [a_conversation("c-1", 4), a_conversation("c-2", 1), a_conversation("c-3", [a_turn(1, "assistant")])]

    evaluations = [one async for one in evaluator.evaluate(batch)]

    assert [one.conversation_key for one in evaluations] == [one.key for one in batch]
    assert isinstance(evaluations[0].result, Findings)
    assert evaluations[1].result == Abstention("no assistant turn")
    assert evaluations[2].result == Abstention("no user turn")


def test_a_sound_conversation_scores_one() -> None:
    result = make().judge(a_conversation(turns=6))

    assert result.overall == 1
    assert result.issues == ()


def test_the_vegetarian_who_is_served_meat_fails() -> None:
    turns = [
        a_turn(1, "user", "Hi! I'm vegetarian. What can I eat?"),
        a_turn(2, "assistant", "I suggest the mushroom risotto."),
        a_turn(3, "user", "Order me something nice then."),
        a_turn(4, "assistant", "Done.", tool_calls=[a_tool_call("place_order", {"dish": "chicken tikka masala"})]),
    ]

    result = make().judge(a_conversation(turns=turns))

    assert [one.type for one in result.issues] == ["preference_violated"]
    assert result.overall == score_of(result.issues)


def test_the_version_follows_the_options() -> None:
    assert make().version == make().version != make(last_turns=2).version


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="patience"):
        make(patience=3)


@pytest.mark.parametrize(
    "text",
    [
        "act as " * 150_000,
        "!" * 1_000_000,
        "no " * 300_000,
        "I'm vegetarian. " * 60_000,
        "7 pm " * 200_000,
        "a_" * 500_000,
    ],
)
def test_a_megabyte_of_anything_is_judged(text: str) -> None:
    rows = [{"name": "the " * 15}, {"name": "the the"}]
    turns = [
        a_turn(1, "user", text),
        a_turn(2, "assistant", text, tool_calls=[a_tool_call(result=rows)]),
        a_turn(3, "user", text),
    ]

    assert 0 <= make().judge(a_conversation(turns=turns)).overall <= 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["user", "assistant", "system", "tool"]),
            st.one_of(
                st.text(max_size=80), st.sampled_from(["I'm vegan", "Booked for 8 pm", "under $5", "no call me"])
            ),
            st.dictionaries(st.text(max_size=8), st.one_of(st.none(), st.integers(), st.text(max_size=20))),
        ),
        max_size=8,
    )
)
def test_any_conversation_is_judged_within_range(parts) -> None:
    turns = [
        a_turn(number, role, text, tool_calls=[a_tool_call("book_it", parameters, result=[parameters, parameters])])
        for number, (role, text, parameters) in enumerate(parts)
    ]

    result = make().judge(a_conversation(turns=turns))

    assert all(0 <= score.value <= 1 for score in result.scores)
