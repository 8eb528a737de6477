"""Is this ledger correct? It is when a subclass of `LedgerContract` is green.

A subclass says where the store is, by a fixture `url` that names an empty one for each test:

    class TestMyLedger(LedgerContract):
        @pytest.fixture
        def url(self, tmp_path): return f"mine:///{tmp_path}/store"

What is asked of lists and filters is in `contract_query`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec
import pytest

from healing_eval import plugins
from healing_eval.domain.annotation import Annotation
from healing_eval.domain.conversation import conversation_key
from healing_eval.domain.evaluation import (
    Abstention,
    Evaluation,
    Failure,
    Findings,
    ModelUse,
    Outcome,
    Score,
    Verdict,
)
from healing_eval.domain.revision import Receipt, RevisionKey
from healing_eval.domain.verdict import Opinion
from healing_eval.ports.ledger import LaneResult, Ledger
from healing_eval.testing.builders import (
    PROJECT,
    a_conversation,
    a_model_use,
    a_submission,
    a_turn,
    an_evaluation,
    an_issue,
    turns_of,
)

LANES = ("checks", "judges")
SOON = timedelta(minutes=1)


def mean_verdict(opinions: Sequence[Opinion], final: bool) -> Verdict:
    """Decide by the plain mean of what measured."""
    measured = [one.overall for one in opinions if one.overall is not None]
    overall = sum(measured) / len(measured) if measured else None
    outcome: Outcome = "unknown" if overall is None else "fail" if overall < 0.5 else "pass"
    weights = {one.evaluator: 1 / len(opinions) for one in opinions}
    return Verdict(overall, outcome, (), weights, final)


async def close(ledger: Ledger, lane: str, key: RevisionKey, *evaluations: Evaluation) -> bool:
    """Close a lane of one revision; tell whether its results were stored."""
    return bool(await ledger.close_lane(lane, [LaneResult(key, evaluations)], mean_verdict))


async def waiting(ledger: Ledger, key: RevisionKey, *lanes: str) -> list[str]:
    """Tell which of these lanes, or the usual ones, would be given this revision to work on."""
    return [lane for lane in lanes or LANES if await ledger.load_outstanding([key], lane)]


async def status_of(ledger: Ledger, conversation_id: str = "c-1") -> str | None:
    """Look up a conversation's status."""
    head = await ledger.find(PROJECT, conversation_id)
    return head.status if head else None


class OpenedLedger:
    """Opens the ledger that the fixture `url` names."""

    @pytest.fixture
    async def ledger(self, url: str) -> AsyncGenerator[Ledger]:
        ledger = cast("type[Ledger]", plugins.load_for_url(plugins.LEDGER, url)).from_url(url)
        await ledger.open()
        yield ledger
        await ledger.close()

    async def add(
        self, ledger: Ledger, conversation_id: str = "c-1", turns: int = 2, *, complete: bool = True
    ) -> Receipt:
        """Add one conversation."""
        made = a_conversation(conversation_id, turns, complete=complete)
        return (await ledger.add([a_submission(made)], LANES))[0]


class LedgerContract(OpenedLedger):
    """What every ledger must do with single conversations."""

    async def test_a_new_conversation_is_accepted_with_every_lane_outstanding(self, ledger: Ledger) -> None:
        receipt = await self.add(ledger)

        head = await ledger.find(PROJECT, "c-1")
        assert (receipt.status, receipt.revision_key.revision, receipt.conversation_status) == (
            "accepted",
            1,
            "pending",
        )
        assert head is not None
        assert (head.status, head.outstanding, head.turn_count) == ("pending", LANES, 2)
        assert head.accepted_at.utcoffset() == timedelta(0)

    async def test_the_same_content_again_is_a_duplicate(self, ledger: Ledger) -> None:
        first, second = await self.add(ledger), await self.add(ledger)

        assert (second.status, second.revision_key) == ("duplicate", first.revision_key)

    async def test_the_same_conversation_twice_in_one_batch_is_stored_once(self, ledger: Ledger) -> None:
        receipts = await ledger.add([a_submission(), a_submission(), a_submission(a_conversation(turns=4))], LANES)

        assert [one.status for one in receipts] == ["accepted", "duplicate", "revised"]
        assert [one.revision_key.revision for one in receipts] == [1, 1, 2]

    async def test_changed_content_is_a_new_revision_and_has_to_be_evaluated_again(self, ledger: Ledger) -> None:
        first = (await self.add(ledger)).revision_key
        await close(ledger, "checks", first, an_evaluation(first.conversation_key))

        revised = await self.add(ledger, turns=4)

        head = await ledger.find(PROJECT, "c-1")
        old, new = (await ledger.evaluated(first.conversation_key, 1), await ledger.evaluated(first.conversation_key))
        assert (revised.status, revised.revision_key.revision) == ("revised", 2)
        assert head is not None
        assert (head.status, head.outstanding) == ("pending", LANES)
        assert old is not None
        assert len(old.evaluations) == 1
        assert new is not None
        assert (new.revision, new.verdict, new.evaluations) == (2, None, ())

    async def test_a_late_retry_of_an_earlier_revision_is_a_duplicate(self, ledger: Ledger) -> None:
        await self.add(ledger, turns=2)
        await self.add(ledger, turns=4)

        late = await self.add(ledger, turns=2)

        head = await ledger.find(PROJECT, "c-1")
        assert (late.status, late.revision_key.revision) == ("duplicate", 1)
        assert head is not None
        assert head.revision_key.revision == 2

    async def test_content_that_is_complete_now_is_a_new_revision_but_not_the_other_way_round(
        self, ledger: Ledger
    ) -> None:
        await self.add(ledger, complete=False)

        complete, late = await self.add(ledger), await self.add(ledger, complete=False)

        assert (complete.status, complete.revision_key.revision) == ("revised", 2)
        assert late.status == "duplicate"

    async def test_a_conversation_without_the_agent_is_unevaluable(self, ledger: Ledger) -> None:
        receipt = await self.add(ledger, turns=1)

        head = await ledger.find(PROJECT, "c-1")
        assert receipt.conversation_status == "unevaluable"
        assert head is not None
        assert (head.status, head.outstanding) == ("unevaluable", ())
        assert await ledger.pending("checks", accepted_before=datetime.now(UTC) + SOON, limit=9) == []

    async def test_a_batch_is_stored_whole_or_not_at_all_by_one_of_two_at_the_same_time(self, ledger: Ledger) -> None:
        batch = [a_submission(a_conversation(f"c-{number}")) for number in range(5)]

        receipts = await asyncio.gather(ledger.add(batch, LANES), ledger.add(list(reversed(batch)), LANES))

        assert sorted({one.status for one in receipts[0]} | {one.status for one in receipts[1]}) == [
            "accepted",
            "duplicate",
        ]
        assert sum(one.status == "accepted" for some in receipts for one in some) == 5

    async def test_a_stored_body_is_what_was_sent(self, ledger: Ledger) -> None:
        sent = a_submission(a_conversation("ä/'\"%;--", metadata={"note": "\U0001f600 snow ☃"}))
        receipt = (await ledger.add([sent], LANES))[0]

        (stored,) = await ledger.load([receipt.revision_key])
        waiting_for_judges = await ledger.load_outstanding([receipt.revision_key], "judges")

        assert waiting_for_judges == [msgspec.structs.replace(stored, untouched=True)]
        assert (stored.body, stored.conversation_id, stored.project) == (sent.body, "ä/'\"%;--", PROJECT)
        assert stored.complete

    async def test_a_growing_conversation_is_whole_in_every_revision(self, ledger: Ledger) -> None:
        sent = [a_submission(a_conversation(turns=count, complete=count == 40)) for count in range(2, 41)]
        receipts = [(await ledger.add([one], LANES))[0] for one in sent]

        stored = await ledger.load([one.revision_key for one in receipts])

        assert [one.body for one in stored] == [one.body for one in sent]
        assert [one.complete for one in stored] == [False] * 38 + [True]

    async def test_a_conversation_whose_past_changed_is_whole(self, ledger: Ledger) -> None:
        await self.add(ledger, turns=4)
        other = a_submission(a_conversation(turns=[a_turn(content="Something else."), *turns_of(5)[1:]]))

        receipt = (await ledger.add([other], LANES))[0]

        assert [one.body for one in await ledger.load([receipt.revision_key])] == [other.body]

    async def test_revisions_that_do_not_exist_are_left_out(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key

        stored = await ledger.load([RevisionKey(key.conversation_key, 7), key, RevisionKey(b"\0" * 16, 1)])

        assert [one.revision_key for one in stored] == [key]

    async def test_a_lane_is_closed_once(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        evaluation = an_evaluation(key.conversation_key)

        closed = [await close(ledger, "checks", key, evaluation) for _ in range(2)]

        found = await ledger.evaluated(key.conversation_key)
        assert closed == [True, False]
        assert found is not None
        assert len(found.evaluations) == 1
        assert await waiting(ledger, key) == ["judges"]
        assert found.head.status == "evaluating"

    async def test_two_workers_at_the_same_time_close_a_lane_once(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        evaluation = an_evaluation(key.conversation_key)

        closed = await asyncio.gather(*(close(ledger, "checks", key, evaluation) for _ in range(4)))

        assert sorted(closed) == [False, False, False, True]

    async def test_the_last_lane_decides_over_all_evaluations(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        await close(ledger, "checks", key, an_evaluation(key.conversation_key, "heuristic", 1.0, issues=[an_issue()]))
        before = await ledger.evaluated(key.conversation_key)

        await close(ledger, "judges", key, an_evaluation(key.conversation_key, "judge", 0.5))

        after = await ledger.evaluated(key.conversation_key)
        assert before is not None
        assert before.verdict is not None
        assert (before.verdict.overall, before.verdict.final) == (1.0, False)
        assert after is not None
        assert after.verdict is not None
        assert (after.verdict.overall, after.verdict.final) == (0.75, True)
        assert set(after.verdict.weights) == {"heuristic", "judge"}
        assert after.head.status == "done"

    async def test_what_other_lanes_thought_is_told_when_one_is_closed(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        critical = [an_issue(), an_issue(severity="critical")]
        guess = an_evaluation(key.conversation_key, "guess", 0.3, issues=critical)
        checks = (
            an_evaluation(key.conversation_key, "heuristic", 0.2, issues=critical),
            an_evaluation(key.conversation_key, "coherence", result=Abstention("too short")),
            msgspec.structs.replace(guess, deterministic=False),
        )
        await close(ledger, "checks", key, *checks)
        told: list[Sequence[Opinion]] = []

        def decide(opinions: Sequence[Opinion], final: bool) -> Verdict:
            told.append(opinions)
            return mean_verdict(opinions, final)

        judged = an_evaluation(key.conversation_key, "judge", 0.5)
        await ledger.close_lane("judges", [LaneResult(key, (judged,))], decide)

        assert told == [
            [
                Opinion("coherence", None, "too short"),
                Opinion("guess", 0.3),
                Opinion("heuristic", 0.2, is_critical=True),
                Opinion("judge", 0.5),
            ]
        ]

    async def test_results_for_an_old_revision_are_not_stored(self, ledger: Ledger) -> None:
        old = (await self.add(ledger)).revision_key
        await self.add(ledger, turns=4)

        assert not await close(ledger, "checks", old, an_evaluation(old.conversation_key))
        assert await waiting(ledger, old) == []
        found = await ledger.evaluated(old.conversation_key, 1)
        assert found is not None
        assert found.evaluations == ()

    async def test_an_unknown_lane_closes_nothing_and_a_new_one_is_kept_apart(self, ledger: Ledger) -> None:
        receipts = await ledger.add([a_submission()], ["checks", "slow"])
        key = receipts[0].revision_key

        assert not await close(ledger, "never", key, an_evaluation(key.conversation_key))
        assert not await close(ledger, "judges", key, an_evaluation(key.conversation_key))
        assert await close(ledger, "checks", key, an_evaluation(key.conversation_key))
        assert await waiting(ledger, key, "never", "checks", "slow", "judges") == ["slow"]

    async def test_an_evaluation_is_kept_without_loss(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        now = datetime(2024, 5, 17, 12, 30, 0, 123456, tzinfo=UTC)
        issues = (
            an_issue("schema_violation", turn_id="t/1", tool_name="book", argument="/a/0", evidence="'; DROP TABLE"),
            an_issue("other", turn_id=12345678901234567890, severity="critical"),
            an_issue("other", turn_id=None),
        )
        findings = Findings(0.25, (Score("tone", 0.1, "☃"), Score("b", 1.0)), issues, "because", 0.75)
        use, unpriced = a_model_use(), ModelUse("gpt-y", 1)
        sent = (
            Evaluation(key.conversation_key, "a", "1", findings, False, 1.5, use, now),
            Evaluation(key.conversation_key, "b", "1", Abstention("no tools"), True, 0.0, None, now, 0.125),
            Evaluation(key.conversation_key, "c", "1", Failure("no", "Oops", True, "{'a"), False, 0, unpriced, now),
            Evaluation(key.conversation_key, "d", "1", Failure("down", "Down"), evaluated_at=now),
        )

        await close(ledger, "checks", key, *sent)

        found = await ledger.evaluated(key.conversation_key)
        assert found is not None
        assert found.evaluations == sent

    async def test_what_no_store_keeps_as_text_costs_nothing_else(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        bad = an_evaluation(key.conversation_key, "judge", result=Failure("a\0b", "Oops", raw_answer="\ud800 and \0"))
        scored = Findings(0.5, (Score("tone", 0.5, "\udfff\0"),))

        await close(ledger, "checks", key, bad, an_evaluation(key.conversation_key, result=scored))

        found = await ledger.evaluated(key.conversation_key)
        assert found is not None
        heuristic, judge = found.evaluations
        assert judge.result == Failure("a\ufffdb", "Oops", raw_answer="\ufffd and \ufffd")
        assert heuristic.result == Findings(0.5, (Score("tone", 0.5, "\ufffd\ufffd"),))

    async def test_pending_lists_what_waits_for_a_lane_oldest_first(self, ledger: Ledger) -> None:
        keys = [(await self.add(ledger, f"c-{number}")).revision_key for number in range(4)]
        await close(ledger, "checks", keys[1], an_evaluation(keys[1].conversation_key))
        later = datetime.now(UTC) + SOON

        assert await ledger.pending("checks", accepted_before=later, limit=2) == [keys[0], keys[2]]
        assert await ledger.pending("judges", accepted_before=later, limit=9) == keys
        assert await ledger.pending("checks", accepted_before=later - timedelta(days=1), limit=9) == []
        assert await ledger.pending("never", accepted_before=later, limit=9) == []

    async def test_what_is_pending_is_counted_up_to_a_limit_and_its_age_is_known(self, ledger: Ledger) -> None:
        assert (await ledger.count_pending(limit=9), await ledger.pending_since("checks")) == (0, None)
        first, second = [(await self.add(ledger, f"c-{number}")).revision_key for number in range(2)]
        heads = [await ledger.find_by_key(PROJECT, key.conversation_key) for key in (first, second)]
        accepted = [head.accepted_at for head in heads if head is not None]
        await close(ledger, "checks", first, an_evaluation(first.conversation_key))

        assert [await ledger.count_pending(limit=limit) for limit in (1, 9)] == [1, 2]
        assert await ledger.pending_since("checks") == accepted[1]
        assert await ledger.pending_since("judges") == accepted[0]
        assert await ledger.pending_since("never") is None
        await close(ledger, "judges", first, an_evaluation(first.conversation_key, evaluator="judge"))
        assert await ledger.count_pending(limit=9) == 1

    @pytest.mark.parametrize(
        "name", ["a/b/../c", "it's", '"', "100%", "日本語 ☃", "x" * 256, "; DROP TABLE conversations"]
    )
    async def test_any_id_is_found_in_its_own_project_only(self, ledger: Ledger, name: str) -> None:
        key = (await self.add(ledger, name)).revision_key.conversation_key

        head = await ledger.find(PROJECT, name)

        assert head is not None
        assert head == await ledger.find_by_key(PROJECT, key)
        assert (head.conversation_id, key) == (name, conversation_key(PROJECT, name))
        assert await ledger.find_by_key("another", key) is None
        assert await ledger.find("another", name) is None

    async def test_it_says_in_one_line_what_it_is(self, ledger: Ledger) -> None:
        about = await ledger.about()

        assert about.strip() == about != ""
        assert about.isprintable()

    async def test_nothing_is_known_of_a_conversation_that_was_never_sent(self, ledger: Ledger) -> None:
        assert await ledger.find(PROJECT, "never") is None
        assert await ledger.evaluated(b"\0" * 16) is None
        assert await ledger.annotate(b"\0" * 16, [Annotation("tone", 3, "ann")]) == 0
        assert await ledger.load([]) == []
        assert await ledger.load_outstanding([], "checks") == []
        assert await ledger.count_by_status() == {}

    async def test_everything_is_there_after_opening_again(self, ledger: Ledger, url: str) -> None:
        key = (await self.add(ledger)).revision_key
        await close(ledger, "checks", key, an_evaluation(key.conversation_key, issues=[an_issue()]))
        before = await ledger.evaluated(key.conversation_key)
        await ledger.close()

        again = type(ledger).from_url(url)
        await again.open()

        assert await again.evaluated(key.conversation_key) == before
        assert await again.count_by_status() == {"evaluating": 1}
        await again.check()
        await again.close()
