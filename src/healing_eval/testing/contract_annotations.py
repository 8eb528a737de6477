"""Does this ledger keep what people say? It does when a subclass of `AnnotationContract` is green."""

from __future__ import annotations

import asyncio

from healing_eval.domain.annotation import Annotation
from healing_eval.ports.ledger import Ledger
from healing_eval.testing.builders import a_submission
from healing_eval.testing.contract_ledger import LANES, OpenedLedger


class AnnotationContract(OpenedLedger):
    """What every ledger must do with annotations."""

    async def test_annotations_come_with_a_submission_and_with_a_duplicate(self, ledger: Ledger) -> None:
        good, bad = Annotation("helpfulness", 0.5, "ann"), Annotation("helpfulness", "poor", "ann", "t-1", 0.5, "hm")
        await ledger.add([a_submission(annotations=[good])], LANES)

        receipts = await ledger.add([a_submission(annotations=[good, bad])], LANES)

        found = await ledger.annotations([receipts[0].revision_key.conversation_key])
        said = [(one.annotation.label, one.annotation.turn_id, one.annotation.notes) for one in found]
        assert receipts[0].status == "duplicate"
        assert said == [(0.5, None, None), ("poor", "t-1", "hm")]
        assert all(one.annotation.created_at is not None for one in found)

    async def test_an_annotation_is_added_unless_the_newest_one_says_the_same(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key.conversation_key
        yes, no = Annotation("correct", True, "ann", turn_id=1), Annotation("correct", False, "ann", turn_id=1)

        added = [await ledger.annotate(key, some) for some in ([yes], [yes], [no], [yes, yes], [])]

        assert added == [1, 0, 1, 1, 0]
        assert [one.annotation.label for one in await ledger.annotations([key])] == [True, False, True]

    async def test_people_who_annotate_at_the_same_time_are_all_heard(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key.conversation_key

        await asyncio.gather(*(ledger.annotate(key, [Annotation("tone", 3, f"p-{n}")]) for n in range(8)))

        assert {one.annotation.annotator_id for one in await ledger.annotations([key])} == {f"p-{n}" for n in range(8)}
