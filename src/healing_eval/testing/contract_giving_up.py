"""Does this ledger give up, and take it back? It does when a subclass of `GivingUpContract` is green."""

from __future__ import annotations

from healing_eval.ports.ledger import Ledger
from healing_eval.testing.builders import PROJECT, an_evaluation
from healing_eval.testing.contract_ledger import LANES, OpenedLedger, close, status_of


class GivingUpContract(OpenedLedger):
    """What every ledger must do with what cannot be evaluated."""

    async def test_a_lane_given_up_marks_the_conversation_failed_when_no_other_is_left(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        await ledger.fail([key], "judges", "tried too often")
        between = await status_of(ledger)

        await close(ledger, "checks", key, an_evaluation(key.conversation_key))

        head = await ledger.find(PROJECT, "c-1")
        assert between == "evaluating"
        assert head is not None
        assert (head.status, head.failed_because) == ("failed", "judges: tried too often")

    async def test_a_conversation_given_up_on_every_lane_has_an_unknown_verdict(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key

        for lane in (*LANES, *LANES):
            await ledger.fail([key], lane, "no")

        found = await ledger.evaluated(key.conversation_key)
        assert found is not None
        assert found.head.status == "failed"
        assert found.verdict is not None
        assert (found.verdict.overall, found.verdict.outcome, found.verdict.final) == (None, "unknown", True)
        assert not await close(ledger, "checks", key, an_evaluation(key.conversation_key))

    async def test_a_verdict_is_final_once_the_last_lane_was_given_up(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        await close(ledger, "checks", key, an_evaluation(key.conversation_key, overall=0.9))

        await ledger.fail([key], "judges", "no")

        found = await ledger.evaluated(key.conversation_key)
        assert found is not None
        assert found.verdict is not None
        assert (found.verdict.overall, found.verdict.final, found.head.status) == (0.9, True, "failed")

    async def test_what_was_given_up_can_be_opened_again_and_is_then_judged(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        await close(ledger, "checks", key, an_evaluation(key.conversation_key, overall=0.9))
        await ledger.fail([key], "judges", "tried too often")

        opened = await ledger.reopen([key], "judges")
        between = await status_of(ledger)
        judged = await close(ledger, "judges", key, an_evaluation(key.conversation_key, "judge", overall=0.5))

        head = await ledger.find(PROJECT, "c-1")
        assert opened == [key]
        assert between == "evaluating"
        assert judged
        assert head is not None
        assert (head.status, head.failed_because) == ("done", None)

    async def test_only_what_this_lane_gave_up_can_be_opened_again(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        await ledger.fail([key], "judges", "no")

        assert await ledger.reopen([key], "checks") == []

    async def test_a_failed_conversation_that_is_revised_starts_afresh(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        for lane in LANES:
            await ledger.fail([key], lane, "no")

        await self.add(ledger, turns=4)

        head = await ledger.find(PROJECT, "c-1")
        assert head is not None
        assert (head.status, head.outstanding, head.failed_because) == ("pending", LANES, None)
