"""Is everything that was read evaluated once, in order, and counted?"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from healing_eval.cli.offline import BATCH, Evaluated, OfflineRun
from healing_eval.cli.reading import Refused
from healing_eval.domain.evaluation import Abstention, Failure
from healing_eval.formats.item import LocalItem
from healing_eval.panel import Panel
from healing_eval.testing.builders import a_conversation, a_local_item, a_turn


def item(conversation_id: str, text: str = "hello", *, answered: bool = True) -> LocalItem:
    turns = [a_turn(1, "user", text)] + ([a_turn(2, "assistant", "Yes.")] if answered else [])
    return a_local_item(a_conversation(conversation_id, turns))


class Outcome:
    def __init__(self, panel: Panel) -> None:
        self.done: list[Evaluated] = []
        self.refused: list[Refused] = []
        self.batches: list[int] = []
        self.run = OfflineRun(panel, self._emit, self.refused.append)

    def _emit(self, batch: Sequence[Evaluated]) -> None:
        self.batches.append(len(batch))
        self.done += batch


@pytest.fixture
def outcome(toy_panel: Panel) -> Outcome:
    return Outcome(toy_panel)


async def test_everything_comes_out_in_the_order_in_which_it_went_in(outcome: Outcome) -> None:
    names = [f"c{n}" for n in range(3 * BATCH + 5)]

    await outcome.run.run(item(name) for name in names)

    assert [one.item.conversation.conversation_id for one in outcome.done] == names
    assert max(outcome.batches) == BATCH
    assert outcome.run.summary.total.passes == len(names)


async def test_a_conversation_without_the_agent_is_never_scored(outcome: Outcome) -> None:
    await outcome.run.run([item("a", answered=False), item("b")])

    unevaluable, scored = outcome.done
    assert (unevaluable.verdict.overall, unevaluable.verdict.outcome) == (None, "unknown")
    assert unevaluable.evaluations == ()
    assert "unevaluable" in unevaluable.verdict.missing[0].reason
    assert scored.verdict.overall == 1.0
    assert (outcome.run.summary.unevaluable, outcome.run.summary.total.n) == (1, 1)


async def test_a_repetition_is_left_out_and_a_change_is_another_revision(outcome: Outcome) -> None:
    await outcome.run.run([item("a"), item("a"), item("a", "again")])

    assert [(one.revision, one.verdict.outcome) for one in outcome.done] == [(1, "pass"), (2, "fail")]
    assert (outcome.run.repeats.duplicates, outcome.run.repeats.revised) == (1, 1)


async def test_an_evaluator_that_breaks_costs_its_own_evaluation_only(outcome: Outcome) -> None:
    await outcome.run.run([item("a"), item("b", "crash"), item("c")])

    results = [one.evaluations[0].result for one in outcome.done]
    assert isinstance(results[1], Failure)
    assert [one.verdict.outcome for one in outcome.done] == ["pass", "unknown", "pass"]


async def test_what_cannot_be_read_is_handed_on_and_the_rest_goes_on(outcome: Outcome) -> None:
    refused = Refused("file", "is not JSON")

    await outcome.run.run([refused, item("a"), refused])

    assert outcome.refused == [refused, refused]
    assert len(outcome.done) == 1


async def test_an_abstention_is_told_and_not_scored(outcome: Outcome) -> None:
    alone = a_local_item(a_conversation("a", [a_turn(1, "assistant", "hello?")]))

    await outcome.run.run([alone])

    assert isinstance(outcome.done[0].evaluations[0].result, Abstention)
    assert outcome.run.summary.measured == 0
