"""Is what was found once found again, for the same and for its like, and for nobody else?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
import pytest

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Failure, Findings
from healing_eval.evaluators.judge.evaluator import Judge
from healing_eval.ports.evaluator import EvaluatorSetup
from healing_eval.testing.builders import a_conversation, a_turn

Scripted = Callable[..., Any]


class Notebook:
    """Remembers results, and counts round trips."""

    def __init__(self) -> None:
        self.known: dict[bytes, bytes] = {}
        self.looked_up: list[int] = []
        self.stored: list[int] = []

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        self.looked_up.append(len(keys))
        await asyncio.sleep(0)
        return [self.known.get(key) for key in keys]

    async def put(self, entries: Mapping[bytes, bytes]) -> None:
        self.stored.append(len(entries))
        self.known.update(entries)


def booking(name: str, reference: str, *, first_turn: int = 1, project: str = "default") -> Conversation:
    turns = [
        a_turn(first_turn, "user", f"Please cancel {reference}."),
        a_turn(first_turn + 1, "assistant", f"Booking {reference} has been cancelled."),
    ]
    return a_conversation(name, turns, project=project)


async def judged(
    model: Any, notebook: Notebook | None, *conversations: Conversation, **options: Any
) -> list[Evaluation]:
    judge = Judge.create(EvaluatorSetup(options, model, results=notebook))
    given = {one.conversation_key: one async for one in judge.evaluate(conversations)}
    return [given[one.key] for one in conversations]


async def test_the_same_under_another_id_is_not_asked_again(scripted: Scripted) -> None:
    model, notebook = scripted(costs=(0.5,)), Notebook()
    [first] = await judged(model, notebook, booking("a", "BK-11111"))

    [again] = await judged(model, notebook, booking("b", "BK-11111"))

    assert len(model.asked) == 1
    assert again.result == first.result
    assert first.model_use is not None
    assert again.model_use is not None
    assert (again.model_use.calls, again.model_use.cost_dollars, again.model_use.model) == (0, 0.0, "served")
    assert again.model_use.prompt_version == first.model_use.prompt_version


async def test_its_like_gets_the_same_judgement_with_its_own_names(scripted: Scripted) -> None:
    model, notebook = scripted(), Notebook()
    await judged(model, notebook, booking("a", "BK-11111"))

    [like] = await judged(model, notebook, booking("b", "BK-98765", first_turn=7))

    assert len(model.asked) == 1
    assert isinstance(like.result, Findings)
    [issue] = like.result.issues
    assert issue.turn_id == 8
    assert issue.evidence == "Booking BK-98765 has been cancelled."


async def test_a_name_that_the_model_writes_in_another_way_is_told_of_nobody_else(scripted: Scripted) -> None:
    def in_other_words(answer: Any) -> Any:
        answer["criteria"][0]["reason"] = "Number 11111 was cancelled."
        return answer

    model, notebook = scripted(in_other_words), Notebook()

    await judged(model, notebook, booking("a", "BK-11111"))
    await judged(model, notebook, booking("b", "BK-11111"))

    assert len(model.asked) == 2
    assert notebook.known == {}


async def test_a_turn_that_the_answer_makes_up_is_none_for_its_like(scripted: Scripted) -> None:
    def forged(answer: Any) -> Any:
        answer["issues"][0]["turn_id"] = "\x02t1\x03"
        answer["issues"][0]["quote"] = None
        return answer

    model, notebook = scripted(forged), Notebook()

    [first] = await judged(model, notebook, booking("a", "BK-11111"))
    [like] = await judged(model, notebook, booking("b", "BK-98765", first_turn=7))

    assert len(model.asked) == 1
    assert isinstance(first.result, Findings)
    assert isinstance(like.result, Findings)
    assert first.result.issues[0].turn_id is None
    assert like.result.issues[0].turn_id is None


@pytest.mark.parametrize(
    "other",
    [
        booking("b", "BK-11111", project="other"),
        a_conversation("b", [a_turn(1, "user", "Please cancel BK-11111."), a_turn(2, "assistant", "No.")]),
    ],
    ids=["another project", "another conversation"],
)
async def test_nobody_else_gets_it(scripted: Scripted, other: Conversation) -> None:
    model, notebook = scripted(), Notebook()

    await judged(model, notebook, booking("a", "BK-11111"))
    await judged(model, notebook, other)

    assert len(model.asked) == 2


async def test_a_whole_conversation_is_not_the_end_of_a_longer_one(scripted: Scripted) -> None:
    turns = [a_turn(1, "user", "Where is it?"), a_turn(2, "assistant", "On its way, and here by the evening.")]
    model, notebook = scripted(), Notebook()

    for name, before in (("whole", []), ("end", [a_turn(0, "user", "word " * 30_000)])):
        [evaluation] = await judged(model, notebook, a_conversation(name, [*before, *turns]))
        assert isinstance(evaluation.result, Findings)

    assert len(model.asked) == 2
    assert "left out" in model.asked[1].messages[1].content


async def test_another_rubric_model_or_parameter_asks_anew(scripted: Scripted) -> None:
    models, notebook = [scripted(), scripted(name="fake:other")], Notebook()
    for options in ({}, {"max_output_tokens": 1000}):
        for model in models:
            await judged(model, notebook, booking("a", "BK-11111"), **options)

    assert [len(model.asked) for model in models] == [2, 2]


async def test_a_failure_is_never_remembered(scripted: Scripted) -> None:
    model, notebook = scripted(*[lambda _: "no JSON"] * 3, lambda answer: answer), Notebook()

    [failed] = await judged(model, notebook, booking("a", "BK-11111"))
    [measured] = await judged(model, notebook, booking("a", "BK-11111"))

    assert isinstance(failed.result, Failure)
    assert isinstance(measured.result, Findings)
    assert len(notebook.known) == 1


async def test_many_at_once_take_one_round_trip_and_the_same_among_them_one_call(scripted: Scripted) -> None:
    model, notebook = scripted(), Notebook()
    conversations = [booking(f"c{number}", f"BK-{number:05}") for number in range(20)]
    others = [a_conversation(f"d{n}", [a_turn(1), a_turn(2, "assistant", f"Gate {n}.")]) for n in range(20)]

    evaluations = await judged(model, notebook, *conversations, *others)

    assert all(isinstance(one.result, Findings) for one in evaluations)
    assert len(model.asked) == 1 + 20
    assert notebook.looked_up[0] == 21


async def test_the_same_after_a_failure_is_asked_side_by_side(scripted: Scripted) -> None:
    notebook, model = Notebook(), Slow(scripted(*[lambda _: "no JSON"] * 3, lambda answer: answer))
    conversations = [booking(f"c{number}", "BK-11111") for number in range(6)]
    task = asyncio.create_task(judged(model, notebook, *conversations))
    await asyncio.sleep(0.02)
    assert model.most == 1
    model.go_on.set()
    evaluations = await task

    assert sum(isinstance(one.result, Failure) for one in evaluations) == 1
    assert model.most == 5


async def test_what_is_kept_and_cannot_be_read_is_asked_anew(scripted: Scripted) -> None:
    model, notebook = scripted(), Notebook()
    await judged(model, notebook, booking("a", "BK-11111"))
    for key in notebook.known:
        notebook.known[key] = b"\xc1 no such thing"

    [again] = await judged(model, notebook, booking("b", "BK-11111"))

    assert isinstance(again.result, Findings)
    assert len(model.asked) == 2


async def test_without_a_cache_everything_is_asked(scripted: Scripted) -> None:
    model = scripted()

    await judged(model, None, booking("a", "BK-11111"), booking("b", "BK-11111"))

    assert len(model.asked) == 2


async def test_the_first_that_is_cancelled_leaves_the_question_to_the_next(scripted: Scripted) -> None:
    notebook, model = Notebook(), Slow(scripted())
    judge = Judge.create(EvaluatorSetup({}, cast("Any", model), results=notebook))

    async def ask(name: str) -> list[Evaluation]:
        return [one async for one in judge.evaluate([booking(name, "BK-11111")])]

    first, second = asyncio.create_task(ask("a")), asyncio.create_task(ask("b"))
    await asyncio.sleep(0.02)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    model.go_on.set()

    [evaluation] = await second
    assert isinstance(evaluation.result, Findings)


class Slow:
    """Answers once it may."""

    context_tokens = 8000
    base_url = None
    name = "fake:slow"

    def __init__(self, model: Any) -> None:
        self._model = model
        self.go_on = asyncio.Event()
        self.most = self._now = 0

    async def ask(self, request: Any) -> Any:
        self._now += 1
        self.most = max(self.most, self._now)
        await self.go_on.wait()
        await asyncio.sleep(0.01)
        self._now -= 1
        return msgspec.structs.replace(await self._model.ask(request), model="slow")
