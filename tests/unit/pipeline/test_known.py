"""Is what checks have found already told, instead of being found out again?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure
from healing_eval.domain.revision import StoredRevision
from healing_eval.domain.verdict import VerdictRules
from healing_eval.pipeline.close import Closer, Lane
from healing_eval.pipeline.known import Known, KnownFacts, as_found
from healing_eval.pipeline.retries import Retries
from healing_eval.ports.evaluator import Fact
from healing_eval.ports.ledger import Found, FoundIssue, Ledger
from healing_eval.testing.builders import a_conversation, a_submission, an_evaluation, an_issue
from healing_eval.testing.contract_ledger import LANES, close
from healing_eval.testing.toy import ToyEvaluator

SUSPECTED = FoundIssue("suspected_injection", "info", "it may be", 1)
FAILED_TOOL = an_issue("tool_failure", turn_id=2)
TOLD = FoundIssue("tool_failure", "warning", "it was stored", 2)


class Checks:
    """A deterministic evaluator that counts how often it is at work; what it suspects is no fact."""

    name, version = "heuristic", "1"

    def __init__(self) -> None:
        self.runs = 0

    def facts(self, conversation: Conversation) -> Sequence[Fact] | None:
        self.runs += 1
        return [FAILED_TOOL]

    def facts_in(self, issues: Sequence[Fact]) -> Sequence[Fact]:
        return [one for one in issues if one.type != "suspected_injection"]


class Told(ToyEvaluator):
    """Asks a model, and wants to be told what checks found."""

    def __init__(self, facts: KnownFacts) -> None:
        super().__init__()
        self.facts, self.told = facts, list[list[str]]()

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        for conversation in conversations:
            self.told.append([one.description for one in self.facts.facts(conversation) or ()])
        async for one in super().evaluate(conversations):
            yield one


async def accept(ledger: Ledger, *names: str) -> list[StoredRevision]:
    receipts = await ledger.add([a_submission(a_conversation(name)) for name in names], LANES)
    return await ledger.load_outstanding([one.revision_key for one in receipts], "judges")


async def check(ledger: Ledger, revision: StoredRevision, name: str = "heuristic") -> None:
    key = revision.revision_key
    found = an_evaluation(key.conversation_key, name, issues=[an_issue("tool_failure", description="it was stored")])
    await close(ledger, "checks", key, found)


def test_what_is_known_is_not_found_out_again() -> None:
    known, checks, conversation = Known(), Checks(), a_conversation()
    facts = KnownFacts(checks, known)

    known.note(conversation, {"heuristic": Found("1", "measured", (TOLD, SUSPECTED))})

    assert facts.facts(conversation) == [TOLD]
    assert checks.runs == 0


def test_no_opinion_is_known_as_well() -> None:
    known, checks, conversation = Known(), Checks(), a_conversation()

    known.note(conversation, {"heuristic": Found("1", "abstained")})

    assert KnownFacts(checks, known).facts(conversation) is None
    assert checks.runs == 0


@pytest.mark.parametrize("found", [{}, {"heuristic": Found("2", "measured")}, {"heuristic": Found("1", "failed")}])
def test_what_is_not_known_of_this_version_is_found_out(found: dict[str, Found]) -> None:
    known, checks, conversation = Known(), Checks(), a_conversation()

    known.note(conversation, found)

    assert KnownFacts(checks, known).facts(conversation) == [FAILED_TOOL]
    assert checks.runs == 1


def test_only_those_that_were_asked_for_are_looked_up() -> None:
    known = Known()
    assert known.asked_for == ()

    KnownFacts(Checks(), known).facts(a_conversation())

    assert known.asked_for == ("heuristic",)


def test_what_an_evaluation_found_is_told_as_if_it_were_stored() -> None:
    issue = an_issue("tool_failure", turn_id=2)

    measured = as_found(an_evaluation(b"k" * 16, "heuristic", issues=[issue], version="v2"))

    assert (measured.version, measured.status, list(measured.issues)) == ("v2", "measured", [issue])
    assert as_found(an_evaluation(b"k" * 16, "heuristic", result=Abstention("no user turn"))).status == "abstained"
    assert as_found(an_evaluation(b"k" * 16, "heuristic", result=Failure("broken", "Broken"))).status == "failed"


async def test_a_lane_of_judges_is_told_what_is_stored(ledger: Ledger) -> None:
    known, checks = Known(), Checks()
    judge = Told(KnownFacts(checks, known))
    lane = Lane("judges", (judge,), VerdictRules({"toy": 1.0}), paid=("toy",), known=known)
    closer = Closer(lane, ledger, Retries(0.0, _never_failed), slice_seconds=1.0)

    for name in ("first", "second"):
        [stored] = await accept(ledger, name)
        await check(ledger, stored)
        [step] = [step async for step in closer.close([stored.revision_key])]
        assert step.stored == 1

    # That it wants to be told is known from its first question on.
    assert judge.told == [[FAILED_TOOL.description], ["it was stored"]]
    assert checks.runs == 1


async def _never_failed(keys: Sequence[object], _: float) -> Sequence[float]:
    return [0.0] * len(keys)
