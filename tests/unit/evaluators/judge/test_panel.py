"""Do several models say together what each of them says, and is nobody's silence fatal?"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
import pytest

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Failure, Findings, Issue, issue
from healing_eval.errors import AnswerPending, ConfigError, ModelBusy, ModelUnavailable
from healing_eval.evaluators.judge.evaluator import CoherenceJudge, Judge, ToolUseJudge
from healing_eval.evaluators.judge.facts import facts_about
from healing_eval.ports.evaluator import EvaluatorSetup, Fact
from healing_eval.testing.builders import a_conversation, a_tool_call, a_turn

Scripted = Callable[..., Any]


def graded(score: int) -> Callable[[Any], Any]:
    def grade(answer: Any) -> Any:
        for criterion in answer["criteria"]:
            criterion["score"] = score
        return answer

    return grade


def failing(error: Exception) -> Callable[[Any], Any]:
    def fail(_: Any) -> Any:
        raise error

    return fail


def setup(*models: Any, deadline_seconds: float = math.inf, **options: Any) -> EvaluatorSetup:
    return EvaluatorSetup(options, models[0], more_models=tuple(models[1:]), deadline_seconds=deadline_seconds)


async def judged(*models: Any, deadline_seconds: float = math.inf, **options: Any) -> Evaluation:
    judge = Judge.create(setup(*models, deadline_seconds=deadline_seconds, **options))
    [evaluation] = [one async for one in judge.evaluate([a_conversation()])]
    return evaluation


def three(scripted: Scripted, *changes: Any) -> list[Any]:
    return [scripted(change, name=f"fake:{place}", costs=(0.25,)) for place, change in enumerate(changes)]


async def test_the_mean_counts_and_agreement_is_confidence(scripted: Scripted) -> None:
    evaluation = await judged(*three(scripted, graded(5), graded(5), graded(2)))

    result, use = evaluation.result, evaluation.model_use
    assert isinstance(result, Findings)
    assert result.overall == pytest.approx((1 + 1 + 0.4) / 3)
    assert result.confidence == pytest.approx(1 - 2 * 0.6 / 3)
    assert {score.name: round(score.value, 3) for score in result.scores}["helpfulness"] == 0.8
    assert "3 of 3 models voted: fake:0 1.00, fake:1 1.00, fake:2 0.40" in result.explanation
    assert "effective votes not measured yet" in result.explanation
    assert use is not None
    assert (use.calls, use.cost_dollars) == (3, 0.75)
    assert [(vote.asked, vote.value, vote.model) for vote in use.votes] == [
        ("fake:0", 1.0, "served"),
        ("fake:1", 1.0, "served"),
        ("fake:2", 0.4, "served"),
    ]


async def test_the_majority_or_weights_count_where_they_are_set(scripted: Scripted) -> None:
    def models() -> list[Any]:
        return three(scripted, graded(5), graded(4), graded(1))

    voted = await judged(*models(), combine="vote")
    weighed = await judged(*models(), combine="weighted", weights={"fake:2": 2})

    assert isinstance(voted.result, Findings)
    assert voted.result.overall == 1.0
    assert isinstance(weighed.result, Findings)
    assert weighed.result.overall == pytest.approx((1 + 0.8 + 2 * 0.2) / 4)


async def test_a_missing_vote_is_recorded_and_makes_less_sure_but_is_not_fatal(scripted: Scripted) -> None:
    everyone = await judged(*three(scripted, graded(5), graded(5), graded(5)))
    evaluation = await judged(*three(scripted, graded(5), failing(ModelUnavailable("down")), graded(5)))

    assert isinstance(everyone.result, Findings)
    assert isinstance(evaluation.result, Findings)
    assert evaluation.result.overall == 1.0
    assert (evaluation.result.confidence or 0) < (everyone.result.confidence or 0)
    assert evaluation.model_use is not None
    missing = evaluation.model_use.votes[1]
    assert (missing.value, missing.reason, missing.model) == (None, "down", None)


class Hanging:
    """A model that answers nothing, or hangs after it said what another one says."""

    context_tokens = 8000
    base_url: str | None = None

    def __init__(self, name: str, first: Any = None) -> None:
        self.name = name
        self._first: Any = first

    async def ask(self, request: Any) -> Any:
        first, self._first = self._first, None
        return await (asyncio.Future[Any]() if first is None else first.ask(request))

    async def close(self) -> None:
        """Nothing is open."""


async def test_who_has_not_answered_when_the_time_is_up_is_a_missing_vote(scripted: Scripted) -> None:
    voting = three(scripted, graded(5), graded(5))

    evaluation = await judged(*voting, Hanging("fake:hangs"), deadline_seconds=0.05)

    assert isinstance(evaluation.result, Findings)
    assert (evaluation.result.overall, evaluation.result.confidence) == (1.0, pytest.approx(1 - 2 / 3))
    assert evaluation.model_use is not None
    assert (evaluation.model_use.calls, evaluation.model_use.cost_dollars) == (2, 0.5)
    missing = evaluation.model_use.votes[2]
    assert (missing.value, missing.reason) == (None, "not done within 0.05 s")


async def test_the_cheap_models_word_stands_if_the_strong_one_is_too_late(scripted: Scripted) -> None:
    [cheap] = three(scripted, graded(3))

    evaluation = await judged(cheap, Hanging("fake:strong"), combine="cascade", deadline_seconds=0.05)

    assert isinstance(evaluation.result, Findings)
    assert (evaluation.result.overall, evaluation.result.confidence) == (0.6, None)


@pytest.mark.parametrize("combine", ["mean", "cascade"])
async def test_if_the_time_is_up_for_all_it_is_tried_again_and_what_was_paid_is_known(
    scripted: Scripted, combine: str
) -> None:
    unusable = scripted(lambda _: "no JSON", name="fake:first", costs=(0.25,))
    models = (Hanging("fake:first", unusable), Hanging("fake:second"))

    evaluation = await judged(*models, combine=combine, deadline_seconds=0.05)

    assert isinstance(evaluation.result, Failure)
    assert (evaluation.result.kind, evaluation.result.retryable) == ("ModelUnavailable", True)
    assert evaluation.model_use is not None
    assert (evaluation.model_use.calls, evaluation.model_use.cost_dollars) == (1, 0.25)


async def test_if_nobody_votes_it_is_a_failure_that_may_pass_if_any_may(scripted: Scripted) -> None:
    evaluation = await judged(*three(scripted, lambda _: "no JSON", failing(ModelUnavailable("down"))))

    assert isinstance(evaluation.result, Failure)
    assert evaluation.result.retryable
    assert "fake:1: down" in evaluation.result.reason
    assert evaluation.result.retry_after_seconds is None


async def test_what_limits_hold_for_all_is_held_for_the_shortest_time(scripted: Scripted) -> None:
    held = [failing(ModelBusy("full", retry_after_seconds=seconds)) for seconds in (40.0, 20.0)]

    evaluation = await judged(*three(scripted, *held))

    assert isinstance(evaluation.result, Failure)
    assert evaluation.result.retry_after_seconds == 20.0


async def test_a_defect_that_several_saw_is_one_issue(scripted: Scripted) -> None:
    evaluation = await judged(*three(scripted, graded(4), graded(4), graded(4)))

    assert isinstance(evaluation.result, Findings)
    [issue] = evaluation.result.issues
    assert issue.description.endswith("(3 of 3 models)")


@pytest.mark.parametrize(("cheap", "asked"), [(5, False), (3, True), (0, False)])
async def test_a_cascade_asks_the_strong_one_only_if_the_cheap_one_is_uncertain(
    scripted: Scripted, cheap: int, asked: bool
) -> None:
    models = three(scripted, graded(cheap), graded(1))

    evaluation = await judged(*models, combine="cascade")

    assert isinstance(evaluation.result, Findings)
    assert evaluation.result.overall == (0.2 if asked else cheap / 5)
    assert len(models[1].asked) == asked
    assert evaluation.model_use is not None
    assert len(evaluation.model_use.votes) == 1 + asked


async def test_a_cascade_goes_on_to_whoever_answers(scripted: Scripted) -> None:
    down = failing(ModelUnavailable("down"))
    over_the_first = await judged(*three(scripted, down, graded(1)), combine="cascade")
    without_the_second = await judged(*three(scripted, graded(3), down), combine="cascade")
    nobody = await judged(*three(scripted, down, down), combine="cascade")

    assert isinstance(over_the_first.result, Findings)
    assert over_the_first.result.overall == 0.2
    assert isinstance(without_the_second.result, Findings)
    assert without_the_second.result.overall == 0.6
    assert without_the_second.result.confidence is None
    assert isinstance(nobody.result, Failure)
    assert nobody.result.retryable


async def test_effective_votes_are_told_once_they_are_measured(scripted: Scripted) -> None:
    scores = iter([5, 1, 4, 2, 3, 0] * 20)
    models = three(scripted, graded(4), graded(4))

    def both(answer: Any) -> Any:
        return graded(next(scores))(answer)

    models = [scripted(both, name="fake:a"), scripted(both, name="fake:b")]
    judge = Judge.create(setup(*models))
    conversations = [a_conversation(f"c{n}") for n in range(40)]
    evaluations = [one async for one in judge.evaluate(conversations)]

    last = evaluations[-1].result
    assert isinstance(last, Findings)
    assert "not measured" not in last.explanation


@pytest.mark.parametrize("combine", ["mean", "cascade"])
async def test_an_answer_that_is_on_its_way_is_waited_for_by_all(scripted: Scripted, combine: str) -> None:
    pending = failing(AnswerPending("in a batch", retry_after_seconds=60.0))

    evaluation = await judged(*three(scripted, graded(3), pending), combine=combine)

    assert isinstance(evaluation.result, Failure)
    assert evaluation.result == Failure("in a batch", "AnswerPending", retryable=True, retry_after_seconds=60.0)


async def test_a_question_that_may_wait_says_so_and_is_named_alike_at_each_look(scripted: Scripted) -> None:
    model = scripted(lambda _: "no JSON", lambda answer: answer)
    options = {"conversations_per_prompt": 10}
    judge = Judge.create(EvaluatorSetup(options, model, lane="batch"))
    for project in ("default", "default", "other"):
        _ = [one async for one in judge.evaluate([a_conversation(project=project)])]

    first, second, again, elsewhere = model.asked
    assert {request.lane for request in model.asked} == {"batch"}
    assert first.mark in first.messages[1].content
    assert first.mark != again.mark
    assert first.key == again.key
    assert len({first.key, second.key, elsewhere.key}) == 3


async def test_an_answer_to_an_earlier_asking_is_held_against_what_that_one_had_to_repeat(scripted: Scripted) -> None:
    class Late:
        """Gives the answer to a question that was asked before."""

        name = "fake:late"
        context_tokens = 8000
        base_url: str | None = None

        def __init__(self, model: Any) -> None:
            self._model = model
            self.first: Any = None

        async def ask(self, request: Any) -> Any:
            self.first = self.first or request
            return msgspec.structs.replace(await self._model.ask(self.first), mark=self.first.mark)

    judge = Judge.create(EvaluatorSetup({}, cast("Any", Late(scripted())), lane="batch"))
    evaluations = [await anext(judge.evaluate([a_conversation()])) for _ in range(2)]

    assert [type(one.result) for one in evaluations] == [Findings, Findings]


def test_a_model_that_is_named_twice_is_refused(scripted: Scripted) -> None:
    with pytest.raises(ConfigError, match=r"models\.judge: expected each model once"):
        Judge.create(setup(scripted(), scripted()))


def test_another_model_in_the_panel_or_another_way_to_combine_is_another_version(scripted: Scripted) -> None:
    one, two = scripted(name="fake:a"), scripted(name="fake:b")
    ways: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((one,), {}),
        ((one, two), {}),
        ((one, two), {"combine": "vote"}),
        ((one, two), {"combine": "cascade", "band": [0.2, 0.8]}),
    ]
    versions = {Judge.create(setup(*models, **options)).version for models, options in ways}

    assert len(versions) == 4


class Checks:
    """A deterministic evaluator that always finds the same."""

    name = "checks"
    version = "1"

    def __init__(self, *found: Issue) -> None:
        self._found = found

    def facts(self, conversation: Conversation) -> Sequence[Issue] | None:
        return self._found

    def facts_in(self, issues: Sequence[Fact]) -> Sequence[Fact]:
        return issues


async def test_each_judge_grades_by_its_own_rubric_and_is_told_what_checks_found(scripted: Scripted) -> None:
    found = issue("tool_failure", "search_flights failed: timeout", turn_id=2)
    conversation = a_conversation("c", [a_turn(1), a_turn(2, "assistant", "Done.", tool_calls=[a_tool_call()])])
    for kind, criterion in ((Judge, "helpfulness"), (CoherenceJudge, "consistency"), (ToolUseJudge, "tool_choice")):
        model = scripted()
        judge = kind.create(EvaluatorSetup({}, model, checks=Checks(found)))

        [evaluation] = [one async for one in judge.evaluate([conversation])]

        assert isinstance(evaluation.result, Findings), evaluation.result
        assert criterion in [score.name for score in evaluation.result.scores]
        system, user = model.asked[0].messages
        assert "checks" in system.content
        assert '{"checks":[{"turn_id":2,"type":"tool_failure"' in user.content


async def test_the_judge_of_tool_use_has_no_opinion_without_tools(scripted: Scripted) -> None:
    judge = ToolUseJudge.create(EvaluatorSetup({}, scripted()))

    assert judge.inapplicable(a_conversation("c", [a_turn(1), a_turn(2, "assistant", "Hello.")])) is not None


async def test_checks_can_be_kept_from_it(scripted: Scripted) -> None:
    model = scripted()
    judge = Judge.create(EvaluatorSetup({"with_checks": False}, model, checks=Checks()))

    await anext(judge.evaluate([a_conversation()]))

    assert "checks" not in model.asked[0].messages[1].content


def test_facts_read_the_same_whether_they_were_stored_or_not() -> None:
    as_found, as_stored = (
        facts_about(a_conversation(), Checks(issue("other", f"said {text}", turn_id=f"t{text}")))
        for text in ("\x00", "\ufffd")
    )

    assert as_found == as_stored
