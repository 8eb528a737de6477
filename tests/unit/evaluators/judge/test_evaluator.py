from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, ModelUse
from healing_eval.errors import ConfigError, ModelUnavailable
from healing_eval.evaluators.judge.evaluator import NOTHING_SAID, Judge
from healing_eval.ports.evaluator import EvaluatorSetup
from healing_eval.testing.builders import a_conversation, a_tool_call, a_turn

Scripted = Callable[..., Any]


async def judged(model: Any, conversation: Conversation | None = None, **options: Any) -> Evaluation:
    judge = Judge.create(EvaluatorSetup(options, model))
    (evaluation,) = [one async for one in judge.evaluate([conversation or a_conversation()])]
    return evaluation


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "  \n",
        ":",
        "...",
        "Solution:",
        "**Thought process:**",
        "Let's think step by step.",
        "解",
        "Respuesta：",
        "かいせつ。",
    ],
)
async def test_a_reply_that_says_nothing_is_not_shown_to_the_model(scripted: Scripted, reply: str) -> None:
    model = scripted()

    evaluation = await judged(model, a_conversation("c", [a_turn(1), a_turn(2, "assistant", reply)]))

    assert evaluation.result == Abstention(NOTHING_SAID)
    assert evaluation.model_use is None
    assert model.asked == []


async def test_a_blank_reply_with_a_tool_call_says_something(scripted: Scripted) -> None:
    turns = [a_turn(1), a_turn(2, "assistant", "", tool_calls=[a_tool_call()])]

    assert isinstance((await judged(scripted(), a_conversation("c", turns))).result, Findings)


async def test_an_unusable_answer_is_asked_about_again_without_its_text(scripted: Scripted) -> None:
    model = scripted(lambda _: "no JSON, obey me", lambda _: "{", lambda answer: answer)

    evaluation = await judged(model)

    assert isinstance(evaluation.result, Findings)
    assert evaluation.model_use is not None
    assert (evaluation.model_use.calls, evaluation.model_use.input_tokens) == (3, 30)
    assert "could not be used" in model.asked[1].messages[1].content
    assert "obey me" not in model.asked[1].messages[1].content


@pytest.mark.parametrize(("costs", "together"), [((0.5, 0.25), 0.75), ((0.5, None), None), ((None, 0.5), None)])
async def test_the_cost_is_that_of_all_answers_and_not_known_if_that_of_one_is_not(
    scripted: Scripted, costs: tuple[float | None, ...], together: float | None
) -> None:
    use = (await judged(scripted(lambda _: "{", lambda answer: answer, costs=costs))).model_use

    assert use is not None
    assert msgspec.structs.replace(use, prompt_version=None) == ModelUse("served", 20, 10, 2, 8, together, requests=2)
    assert use.prompt_version


async def test_a_raw_answer_is_kept_in_a_form_that_stores_can_hold(scripted: Scripted) -> None:
    evaluation = await judged(scripted(lambda _: "a\0b\ud800" + "x" * 50_000))

    assert isinstance(evaluation.result, Failure)
    raw = evaluation.result.raw_answer or ""
    assert raw.startswith("a\ufffdb?")
    assert len(raw) == 20_000


async def test_a_crash_is_named_without_its_text(scripted: Scripted) -> None:
    def crash(_: Any) -> Any:
        raise KeyError("the user's secret")

    evaluation = await judged(scripted(crash))

    assert evaluation.result == Failure("unexpected KeyError", "KeyError")


async def test_a_model_that_is_down_is_asked_once_and_may_be_asked_again_later(scripted: Scripted) -> None:
    def down(_: Any) -> Any:
        raise ModelUnavailable("down")

    model = scripted(down)
    evaluation = await judged(model)

    assert evaluation.result == Failure("down", "ModelUnavailable", retryable=True)
    assert len(model.asked) == 1


def version(model: Any, **options: Any) -> str:
    return Judge.create(EvaluatorSetup(options, model)).version


def test_the_version_changes_with_what_may_change_a_judgement_and_with_nothing_else(
    scripted: Scripted, tmp_path: Path
) -> None:
    rubric = tmp_path / "rubric.md"
    rubric.write_text("## brevity\nIs it short?\n")
    usual = version(scripted())

    assert version(scripted(), concurrency=2) == usual
    assert version(scripted(name="fake:other")) != usual
    assert version(scripted(), max_output_tokens=1000) != usual
    assert version(scripted(), rubric=str(rubric)) != usual


async def test_a_rubric_of_ones_own_is_graded_by(scripted: Scripted, tmp_path: Path) -> None:
    rubric = tmp_path / "rubric.md"
    rubric.write_text("## brevity\nIs it short?\n")

    evaluation = await judged(scripted(), rubric=str(rubric))

    assert isinstance(evaluation.result, Findings)
    assert [score.name for score in evaluation.result.scores] == ["brevity"]


def test_a_wrong_option_is_refused_when_it_is_built(scripted: Scripted) -> None:
    with pytest.raises(ConfigError, match="temprature"):
        Judge.create(EvaluatorSetup({"temprature": 1}, scripted()))


@pytest.mark.parametrize(("wait_seconds", "given_up"), [(0.0, True), (30.0, False)])
async def test_a_model_that_hangs_is_given_up_after_its_time_and_what_it_may_wait_for_its_turn(
    monkeypatch: pytest.MonkeyPatch, wait_seconds: float, given_up: bool
) -> None:
    monkeypatch.setattr("healing_eval.evaluators.judge.asker.GRACE_SECONDS", 0.01)
    judge = Judge.create(EvaluatorSetup({}, cast("Any", Hanging()), 0.01, wait_seconds))

    evaluations = [one async for one in _within(0.5, judge.evaluate([a_conversation()]))]

    assert bool(evaluations) == given_up
    assert [type(one.result) for one in evaluations] == [Failure] * len(evaluations)


async def test_an_evaluation_is_given_up_at_its_deadline_whatever_each_question_may_take() -> None:
    judge = Judge.create(EvaluatorSetup({}, cast("Any", Hanging()), 30.0, 30.0, deadline_seconds=0.02))

    [evaluation] = [one async for one in _within(5.0, judge.evaluate([a_conversation()]))]

    assert evaluation.result == Failure("not done within 0.02 s", "ModelUnavailable", retryable=True)


class Hanging:
    """A model that neither answers nor gives up."""

    name = "plugged:in"
    context_tokens = 1000
    base_url: str | None = None

    async def ask(self, request: Any) -> Any:
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing is open."""


async def _within(seconds: float, evaluations: AsyncIterator[Evaluation]) -> AsyncIterator[Evaluation]:
    """Give what comes in this time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for one in evaluations:
                yield one
