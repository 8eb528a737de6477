"""Does this ledger tell one lane what another has found? It does when this suite is green."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from healing_eval.domain.evaluation import Abstention, Failure
from healing_eval.domain.revision import RevisionKey
from healing_eval.ports.ledger import Ledger
from healing_eval.testing.builders import a_conversation, a_submission, an_evaluation, an_issue
from healing_eval.testing.contract_ledger import LANES, OpenedLedger, close


class FoundContract(OpenedLedger):
    """What every ledger must tell of what evaluators of other lanes have found."""

    async def test_it_is_told_whether_a_lane_has_finished_a_revision(self, ledger: Ledger) -> None:
        receipts = await ledger.add([a_submission(a_conversation(name)) for name in ("a", "b")], LANES)
        one, other = [receipt.revision_key for receipt in receipts]
        await close(ledger, "checks", one, an_evaluation(one.conversation_key, "heuristic"))

        loaded = await ledger.load_outstanding([one, other], "judges")

        assert {stored.revision_key: stored.untouched for stored in loaded} == {one: False, other: True}
        assert not any(stored.untouched for stored in await ledger.load([one, other]))

    async def test_what_is_opened_again_is_not_untouched(self, ledger: Ledger) -> None:
        [receipt] = await ledger.add([a_submission(a_conversation("a"))], LANES)
        key = receipt.revision_key
        for lane in LANES:
            await close(ledger, lane, key, an_evaluation(key.conversation_key, lane))

        await ledger.open_again([key], "checks")

        [stored] = await ledger.load_outstanding([key], "checks")
        assert not stored.untouched

    async def test_what_another_lane_is_to_be_done_with_first_can_be_left_out(self, ledger: Ledger) -> None:
        receipts = await ledger.add([a_submission(a_conversation(name)) for name in ("a", "b")], LANES)
        one, other = [receipt.revision_key for receipt in receipts]
        await close(ledger, "checks", one, an_evaluation(one.conversation_key, "heuristic"))
        later = datetime.now(UTC) + timedelta(hours=1)

        async def waiting(*after: str) -> set[RevisionKey]:
            return set(await ledger.pending("judges", accepted_before=later, limit=9, after=after))

        assert await waiting() == await waiting("never") == {one, other}
        assert await waiting("checks") == await waiting("checks", "checks", "never") == {one}
        assert await waiting("judges") == set()

    async def test_what_others_found_is_read_for_many_at_once(self, ledger: Ledger) -> None:
        receipts = await ledger.add([a_submission(a_conversation(name)) for name in ("a", "b", "c")], LANES)
        first, second, third = [one.revision_key for one in receipts]
        places = {"loop": 7, "tool_failure": "t/1", "other": None}
        problems = [an_issue(kind, turn_id=turn_id) for kind, turn_id in places.items()]
        await close(
            ledger,
            "checks",
            first,
            an_evaluation(first.conversation_key, "heuristic", issues=problems, version="v2"),
            an_evaluation(first.conversation_key, "coherence", result=Abstention("no user turn")),
            an_evaluation(first.conversation_key, "tool_call", result=Failure("broken", "Broken")),
            an_evaluation(first.conversation_key, "style", issues=problems),
        )
        await close(ledger, "checks", second, an_evaluation(second.conversation_key, "heuristic"))

        revisions = await ledger.load_outstanding([first, second, third], "judges")
        found = await ledger.found(revisions, ["heuristic", "coherence", "tool_call"])

        assert found.keys() == {first, second}
        assert {name: (one.version, one.status) for name, one in found[first].items()} == {
            "heuristic": ("v2", "measured"),
            "coherence": ("1", "abstained"),
            "tool_call": ("1", "failed"),
        }
        told = [(one.type, one.severity, one.description, one.turn_id) for one in found[first]["heuristic"].issues]
        assert told == [(one.type, one.severity, one.description, one.turn_id) for one in problems]
        assert found[second]["heuristic"].issues == ()
        assert await ledger.found([], ["heuristic"]) == await ledger.found(revisions, []) == {}
