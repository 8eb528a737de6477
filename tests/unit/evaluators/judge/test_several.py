"""Do conversations that are asked about in one prompt each get what is theirs?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Failure, Findings
from healing_eval.errors import ModelUnavailable
from healing_eval.evaluators.judge.evaluator import Judge
from healing_eval.ports.evaluator import EvaluatorSetup
from healing_eval.testing.builders import a_conversation, a_turn, turns_of
from healing_eval.testing.fake_answers import spoiled

Scripted = Callable[..., Any]


def some(count: int, project: str = "default") -> list[Conversation]:
    """Make conversations that each can be told by what the agent says."""
    return [
        a_conversation(f"c{n}", [*turns_of(3), a_turn(4, "assistant", f"Gate {n} it is.")], project=project)
        for n in range(count)
    ]


async def judged(model: Any, conversations: list[Conversation], most: int = 10, **options: Any) -> list[Evaluation]:
    table = {"conversations_per_prompt": most, **options}
    judge = Judge.create(EvaluatorSetup(table, model))
    given = {one.conversation_key: one async for one in judge.evaluate(conversations)}
    assert len(given) == len(conversations)
    return [given[one.key] for one in conversations]


def evidence(evaluations: list[Evaluation]) -> list[str | None]:
    return [one.result.issues[0].evidence for one in evaluations if isinstance(one.result, Findings)]


def sizes(model: Any) -> list[int]:
    return [request.messages[1].content.count("</conversation-") for request in model.asked]


async def test_ten_at_a_time_are_asked_about_and_each_gets_its_own(scripted: Scripted) -> None:
    model = scripted()

    evaluations = await judged(model, some(25))

    assert sizes(model) == [10, 10, 5]
    assert evidence(evaluations) == [f"Gate {n} it is." for n in range(25)]


async def test_what_a_prompt_took_is_shared_out_so_that_the_sums_are_right(scripted: Scripted) -> None:
    uses = [one.model_use for one in await judged(scripted(costs=(0.5,)), some(3))]

    assert all(use is not None and use.calls == 1 for use in uses)
    assert sum(use.input_tokens or 0 for use in uses if use) == 10
    assert sum(use.output_tokens or 0 for use in uses if use) == 5
    assert sum(use.cost_dollars or 0 for use in uses if use) == pytest.approx(0.5)


async def test_projects_are_never_mixed(scripted: Scripted) -> None:
    model = scripted()
    conversations = [one for pair in zip(some(5, "ours"), some(5, "theirs"), strict=True) for one in pair]

    await judged(model, conversations)

    assert sizes(model) == [5, 5]


@pytest.mark.parametrize("mode", ["left_out", "shuffled", "swapped", "doubled", "out_of_range", "invented_quotes"])
async def test_one_whose_answer_cannot_be_used_is_asked_about_alone(scripted: Scripted, mode: str) -> None:
    model = scripted(lambda answer: spoiled(answer, mode), lambda answer: answer)

    evaluations = await judged(model, some(10))

    alone = {"left_out": 1, "shuffled": 0, "swapped": 2, "doubled": 1, "out_of_range": 1, "invented_quotes": 1}[mode]
    assert sizes(model) == [10] + [1] * alone
    assert evidence(evaluations) == [f"Gate {n} it is." for n in range(10)]


async def test_an_answer_that_is_nothing_is_made_up_for_one_by_one(scripted: Scripted) -> None:
    model = scripted(lambda _: "Sorry, I cannot.", lambda answer: answer)

    evaluations = await judged(model, some(4))

    assert sizes(model) == [4, 1, 1, 1, 1]
    assert all(isinstance(one.result, Findings) for one in evaluations)


async def test_a_model_that_is_down_is_not_asked_about_each_besides(scripted: Scripted) -> None:
    def down(_: Any) -> Any:
        raise ModelUnavailable("down")

    model = scripted(down)
    evaluations = await judged(model, some(4))

    assert sizes(model) == [4]
    assert [one.result for one in evaluations] == [Failure("down", "ModelUnavailable", retryable=True)] * 4


async def test_one_that_is_too_long_for_a_place_among_others_is_asked_about_alone(scripted: Scripted) -> None:
    model = scripted()
    long = a_conversation("long", [a_turn(1), a_turn(2, "assistant", "word " * 2000)])

    evaluations = await judged(model, [*some(3), long], most=4, max_output_tokens=300)

    assert sorted(sizes(model)) == [1, 3]
    assert all(isinstance(one.result, Findings) for one in evaluations)


async def test_who_is_alone_is_asked_about_in_the_usual_way(scripted: Scripted) -> None:
    model = scripted()

    [evaluation] = await judged(model, some(1))

    assert isinstance(evaluation.result, Findings)
    assert json.loads(json.dumps(model.asked[0].schema))["required"] == ["nonce", "criteria", "issues"]
