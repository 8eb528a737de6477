from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from healing_eval import telemetry
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import (
    Abstention,
    Evaluation,
    Failure,
    Findings,
    Issue,
    ModelUse,
    Result,
    Score,
)
from healing_eval.errors import ModelUnavailable, UnreadableVerdict
from healing_eval.pipeline.evaluate import evaluate
from healing_eval.testing.builders import a_conversation
from healing_eval.testing.toy import ToyEvaluator


def conversations(*ids: str) -> list[Conversation]:
    return [a_conversation(name) for name in ids]


async def results(batch: Sequence[Conversation], *evaluators: ToyEvaluator) -> dict[str, list[Result]]:
    found = {
        batch[index].conversation_id: [one.result for one in ones] async for index, ones in evaluate(batch, evaluators)
    }
    assert len(found) == len(batch)
    return found


async def test_every_conversation_gets_one_evaluation_from_each_evaluator() -> None:
    found = await results(conversations("a", "b"), ToyEvaluator("one"), ToyEvaluator("two"))

    assert found == {"a": [Findings(1.0), Findings(1.0)], "b": [Findings(1.0), Findings(1.0)]}


async def test_an_evaluator_that_does_not_apply_abstains_with_the_reason() -> None:
    toy = ToyEvaluator()
    toy.inapplicable_on["short"] = "too short"

    found = await results(conversations("a", "short"), toy)

    assert found["short"] == [Abstention("too short")]
    assert found["a"] == [Findings(1.0)]


async def test_one_conversation_that_breaks_the_evaluator_costs_only_itself() -> None:
    toy = ToyEvaluator()
    toy.raises_on["b"] = ValueError("cannot cope")

    found = await results(conversations("a", "b", "c"), toy)

    assert found["a"] == found["c"] == [Findings(1.0)]
    assert found["b"] == [Failure("cannot cope", "ValueError")]


async def test_a_failure_says_whether_it_may_pass_and_keeps_the_raw_answer() -> None:
    toy = ToyEvaluator()
    toy.raises_on = {"a": ModelUnavailable("down"), "b": UnreadableVerdict("no JSON", raw_answer="hm")}

    found = await results(conversations("a", "b"), toy)

    assert found["a"] == [Failure("down", "ModelUnavailable", retryable=True)]
    assert found["b"] == [Failure("no JSON", "UnreadableVerdict", raw_answer="hm")]


async def test_an_evaluator_that_says_nothing_has_failed() -> None:
    toy = ToyEvaluator()
    toy.silent_on = {"b"}

    found = await results(conversations("a", "b"), toy)

    assert found["b"] == [Failure("the evaluator gave no evaluation", "NoEvaluation")]


@pytest.mark.parametrize("score", [float("nan"), -0.1, 1.1, float("inf")])
async def test_a_score_out_of_range_is_a_failure_and_never_a_number(score: float) -> None:
    toy = ToyEvaluator()
    toy.scores_on["b"] = score

    found = await results(conversations("a", "b"), toy)

    assert found["a"] == [Findings(1.0)]
    assert found["b"] == [Failure(f"the evaluator scored {score!r}; a score lies in [0, 1]", "UnsoundResult")]


UNSOUND: dict[str, tuple[Any, str]] = {
    "no score at all": (Findings(None), "scored None"),  # type: ignore[arg-type]
    "a truth for a score": (Findings(True), "scored True"),
    "a score that is text": (Findings("0.5"), "scored '0.5'"),  # type: ignore[arg-type]
    "no issues": (Findings(0.5, issues=None), "malformed: TypeError"),  # type: ignore[arg-type]
    "no result": ("fine", "gave a str; expected Findings, Abstention or Failure"),
    "a part that is NaN": (Findings(0.5, (Score("tone", float("nan")),)), "score 'tone' is nan"),
    "a part of seven": (Findings(0.5, (Score("tone", 7.0),)), "score 'tone' is 7.0"),
    "a confidence of two": (Findings(0.5, confidence=2.0), "confidence is 2.0"),
    "an unknown severity": (
        Findings(0.5, issues=(Issue("loop", "fatal", "it loops", "loop#1"),)),  # type: ignore[arg-type]
        "severity 'fatal'; expected one of info, warning, error, critical",
    ),
    "half a surrogate pair": (Findings(0.5, explanation="\ud800"), "half a surrogate pair"),
    "a reason that is none": (Abstention(3), "malformed: TypeError"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("make", UNSOUND)
async def test_what_cannot_be_kept_is_a_failure_of_that_one_conversation(make: str) -> None:
    toy = ToyEvaluator()
    toy.gives_on["b"], expected = UNSOUND[make]

    found = await results(conversations("a", "b", "c"), toy)

    assert found["a"] == found["c"] == [Findings(1.0)]
    (failure,) = found["b"]
    assert isinstance(failure, Failure)
    assert failure.kind == "UnsoundResult"
    assert expected in failure.reason


@pytest.mark.parametrize("given", [None, "text", Evaluation(b"another key", "toy", "v1", Findings(1.0))])
async def test_what_is_no_evaluation_of_the_conversation_counts_as_none(given: object) -> None:
    toy = ToyEvaluator()
    toy.yields_on["b"] = given

    found = await results(conversations("a", "b"), toy)

    assert found["a"] == [Findings(1.0)]
    assert found["b"] == [Failure("the evaluator gave no evaluation", "NoEvaluation")]


async def test_an_evaluator_cannot_sign_with_the_name_of_another() -> None:
    batch, toy = conversations("a"), ToyEvaluator("one")
    toy.yields_on["a"] = Evaluation(batch[0].key, "two", "v1", Findings(0.0))

    found = await results(batch, toy, ToyEvaluator("two"))

    assert found["a"] == [
        Failure("the evaluator signs as 'two'; its name is 'one'", "UnsoundResult"),
        Findings(1.0),
    ]


def with_use(use: Any, name: str = "toy") -> tuple[list[Conversation], ToyEvaluator]:
    batch, toy = conversations("a", "b"), ToyEvaluator(name)
    toy.yields_on["b"] = Evaluation(batch[1].key, name, "v1", Findings(1.0), model_use=use)
    return batch, toy


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("gpt-4o", "model_use is a str; expected ModelUse"),
        (ModelUse("m", cost_dollars=float("nan")), "cost_dollars is nan; a cost is a number from 0, or None"),
        (ModelUse("m", cost_dollars=float("inf")), "cost_dollars is inf"),
        (ModelUse("m", cost_dollars=-0.01), "cost_dollars is -0.01"),
        (ModelUse("m", cost_dollars="0.1"), "cost_dollars is '0.1'"),  # type: ignore[arg-type]
        (ModelUse("m", input_tokens=-1), "whole numbers from 0"),
        (ModelUse("m", cached_input_tokens=0.5), "whole numbers from 0"),  # type: ignore[arg-type]
        (ModelUse("m", calls=None), "whole numbers from 0"),  # type: ignore[arg-type]
    ],
)
async def test_a_use_that_would_spoil_a_sum_is_a_failure_and_not_added(use: Any, expected: str) -> None:
    batch, toy = with_use(use)

    found = await results(batch, toy)

    assert found["a"] == [Findings(1.0)]
    (failure,) = found["b"]
    assert isinstance(failure, Failure)
    assert failure.kind == "UnsoundResult"
    assert expected in failure.reason


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -0.1, "0.1", None, True])
async def test_a_latency_that_is_no_duration_is_a_failure_and_not_added(seconds: Any) -> None:
    batch, toy = conversations("a", "b"), ToyEvaluator("timed")
    toy.yields_on["b"] = Evaluation(batch[1].key, "timed", "v1", Findings(1.0), latency_seconds=seconds)

    found = await results(batch, toy)

    assert found["a"] == [Findings(1.0)]
    (failure,) = found["b"]
    assert isinstance(failure, Failure)
    assert "latency_seconds is" in failure.reason


def counted(metric: str, **labels: str) -> float | None:
    return telemetry.REGISTRY.get_sample_value(f"healing_eval_model_{metric}_total", labels)


@pytest.mark.parametrize(
    ("use", "dollars", "unpriced_calls"),
    [
        (ModelUse("m-1", 10, 20, 3, cost_dollars=0.25), 0.25, None),
        (ModelUse("m-2", 10, 20, 3, cost_dollars=0.0), 0.0, None),
        (ModelUse("m-3", 10, 20, 3), None, 3),
    ],
)
async def test_a_cost_that_is_not_known_is_counted_as_that_and_never_as_0(
    use: ModelUse, dollars: float | None, unpriced_calls: float | None
) -> None:
    batch, toy = with_use(use, "priced")

    await results(batch, toy)

    assert counted("cost_dollars", evaluator="priced", model=use.model) == dollars
    assert counted("unpriced_calls", evaluator="priced", model=use.model) == unpriced_calls


async def test_what_is_ready_is_handed_out_while_another_hangs() -> None:
    toy = ToyEvaluator()
    toy.waits_on["b"] = asyncio.Event()
    batch = conversations("a", "b")
    seen: list[str] = []

    async for index, _ in evaluate(batch, [toy]):
        seen.append(batch[index].conversation_id)
        toy.waits_on["b"].set()

    assert seen == ["a", "b"]


async def test_nothing_to_do_ends_at_once() -> None:
    assert await results([], ToyEvaluator()) == {}
    assert [one async for one in evaluate(conversations("a"), [])] == []


@pytest.mark.parametrize("count", [1, 50])
async def test_a_reader_that_stops_early_leaves_no_task_behind(count: int) -> None:
    toy = ToyEvaluator()
    toy.waits_on["last"] = asyncio.Event()
    before = len(asyncio.all_tasks())

    found = evaluate(conversations(*(f"c{n}" for n in range(count)), "last"), [toy])
    await anext(found)
    await found.aclose()

    assert len(asyncio.all_tasks()) == before
