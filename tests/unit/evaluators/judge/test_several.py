"""Do conversations that are asked about in one prompt each get what is theirs?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings
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


@pytest.mark.parametrize("most", [4, 10])
async def test_an_answer_that_is_nothing_is_made_up_for_one_by_one(scripted: Scripted, most: int) -> None:
    model = scripted(lambda _: "Sorry, I cannot.", lambda answer: answer)

    evaluations = await judged(model, some(4), most)

    assert sizes(model) == [4, 1, 1, 1, 1]
    assert all(isinstance(one.result, Findings) for one in evaluations)


@pytest.mark.parametrize("most", [4, 10])
async def test_a_model_that_is_down_is_not_asked_about_each_besides(scripted: Scripted, most: int) -> None:
    def down(_: Any) -> Any:
        raise ModelUnavailable("down")

    model = scripted(down)
    evaluations = await judged(model, some(4), most)

    assert sizes(model) == [4]
    assert [one.result for one in evaluations] == [Failure("down", "ModelUnavailable", retryable=True)] * 4


async def test_one_that_is_too_long_for_a_place_among_others_is_asked_about_alone(scripted: Scripted) -> None:
    model = scripted()
    long = a_conversation("long", [a_turn(1), a_turn(2, "assistant", "word " * 2000)])

    evaluations = await judged(model, [*some(3), long], most=4, max_output_tokens=300)

    assert sorted(sizes(model)) == [1, 3]
    assert all(isinstance(one.result, Findings) for one in evaluations)


class HangsAlone:
    """Leaves out one conversation of a prompt, and never answers about it alone."""

    name = "hangs:alone"
    context_tokens = 8000
    base_url: str | None = None

    def __init__(self, model: Any) -> None:
        self._model = model

    async def ask(self, request: Any) -> Any:
        if request.schema_name == "verdict":
            await asyncio.Event().wait()
        return await self._model.ask(request)

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("count", [10, 9])
async def test_nobody_waits_for_one_that_is_asked_about_alone(scripted: Scripted, count: int) -> None:
    model: Any = HangsAlone(scripted(lambda answer: spoiled(answer, "left_out")))
    judge = Judge.create(EvaluatorSetup({"conversations_per_prompt": 10}, model, deadline_seconds=0.2))

    *first, last = [one async for one in judge.evaluate(some(count))]

    assert [type(one.result) for one in first] == [Findings] * (count - 1)
    assert last.result == Failure("not done within 0.2 s", "ModelUnavailable", retryable=True)
    assert last.model_use is not None, "its share of the first answer is paid for"
    assert last.model_use.calls == 1


@pytest.mark.parametrize("count", [3, 2])
async def test_all_of_a_prompt_are_given_up_at_their_deadline(count: int) -> None:
    class Hangs(HangsAlone):
        async def ask(self, request: Any) -> Any:
            await asyncio.Event().wait()

    model: Any = Hangs(None)
    judge = Judge.create(EvaluatorSetup({"conversations_per_prompt": 3}, model, deadline_seconds=0.02))

    results = [one.result async for one in judge.evaluate(some(count))]

    assert results == [Failure("not done within 0.02 s", "ModelUnavailable", retryable=True)] * count


class CrashingChecks:
    """Finds nothing, and crashes at one conversation."""

    name, version = "crashing", "1"

    def facts(self, conversation: Conversation) -> list[Any]:
        if conversation.conversation_id == "c2":
            raise ZeroDivisionError
        return []

    def facts_in(self, issues: Any) -> Any:
        return issues


@pytest.mark.parametrize("most", [4, 10])
async def test_a_crash_before_anything_is_asked_costs_only_whose_it_is(scripted: Scripted, most: int) -> None:
    model = scripted()
    setup = EvaluatorSetup({"conversations_per_prompt": most}, model, checks=CrashingChecks())

    given = {one.conversation_key: one.result async for one in Judge.create(setup).evaluate(some(4))}

    crashed = Failure("unexpected ZeroDivisionError", "ZeroDivisionError")
    assert [given[one.key] == crashed for one in some(4)] == [False, False, True, False]
    assert sizes(model) == [3]


async def test_one_that_says_nothing_takes_no_place_in_a_prompt(scripted: Scripted) -> None:
    model = scripted()
    silent = a_conversation("silent", [a_turn(1)])

    *evaluations, abstained = await judged(model, [*some(3), silent], most=4)

    assert sizes(model) == [3]
    assert all(isinstance(one.result, Findings) for one in evaluations)
    assert isinstance(abstained.result, Abstention)


@pytest.mark.parametrize(("concurrency", "asked"), [(1, [1] * 5), (2, [2, 2, 1]), (4, [4, 1]), (100, [5])])
async def test_no_more_are_asked_about_at_once_than_may_be(
    scripted: Scripted, concurrency: int, asked: list[int]
) -> None:
    model = scripted()

    await judged(model, some(5), most=5, concurrency=concurrency)

    assert [size or 1 for size in sizes(model)] == asked


async def test_who_is_alone_is_asked_about_in_the_usual_way(scripted: Scripted) -> None:
    model = scripted()

    [evaluation] = await judged(model, some(1))

    assert isinstance(evaluation.result, Findings)
    assert json.loads(json.dumps(model.asked[0].schema))["required"] == ["nonce", "criteria", "issues"]
