"""Does this ledger let go of months and of single conversations? It does when a subclass of each is green.

For `RetentionContract` a subclass makes ledgers over one empty store, which tell the time by a clock:

    class TestMyRetention(RetentionContract):
        @pytest.fixture
        def make_ledger(self, tmp_path): return lambda clock: MyLedger(f"mine:///{tmp_path}/store", clock)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from healing_eval.domain.annotation import Annotation
from healing_eval.domain.conversation import key_to_text
from healing_eval.domain.month import Month
from healing_eval.domain.query import ConversationFilter, EvaluationQuery
from healing_eval.domain.revision import RevisionKey
from healing_eval.ports.archive import Row
from healing_eval.ports.ledger import Ledger
from healing_eval.testing.builders import PROJECT, a_conversation, a_submission, an_evaluation, an_issue
from healing_eval.testing.contract_ledger import LANES, SOON, OpenedLedger, close

JANUARY, FEBRUARY, MARCH = (Month(2031, number) for number in (1, 2, 3))


class MonthClock:
    """Stands still in the last moments of January 2031, until it is moved on by whole months."""

    def __init__(self) -> None:
        self.now = datetime(2031, 1, 31, 23, 59, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def a_month_later(self) -> None:
        """Go on to the next month, or the one after it in a short one."""
        self.now += timedelta(days=28)


MakeLedger = Callable[[MonthClock], Ledger]


async def accept(ledger: Ledger, name: str = "c-1", turns: int = 2, *said: Annotation) -> RevisionKey:
    """Add a conversation, or a revision of one."""
    return (await ledger.add([a_submission(a_conversation(name, turns), annotations=said)], LANES))[0].revision_key


async def judge(ledger: Ledger, key: RevisionKey) -> None:
    """Close all lanes."""
    for lane in LANES:
        found = an_evaluation(key.conversation_key, f"of-{lane}", issues=[an_issue()])
        assert await close(ledger, lane, key, found)


async def let_go(ledger: Ledger, month: Month) -> int:
    """Drop a month without an archive."""
    await ledger.close_month(month)
    return await ledger.drop_month(month)


async def rows_of(ledger: Ledger, month: Month) -> dict[str, list[Row]]:
    """Read all that would go to the archive."""
    return {part.table: [row async for row in ledger.month_rows(part)] for part in await ledger.month_parts(month)}


class RetentionContract:
    """What every ledger must do with months that are past."""

    @pytest.fixture
    def clock(self) -> MonthClock:
        return MonthClock()

    @pytest.fixture
    async def ledger(self, make_ledger: MakeLedger, clock: MonthClock) -> AsyncGenerator[Ledger]:
        ledger = make_ledger(clock)
        await ledger.open()
        yield ledger
        await ledger.close()

    async def test_months_are_listed_oldest_first_and_only_those_before(
        self, ledger: Ledger, clock: MonthClock
    ) -> None:
        for name in ("a", "b", "c"):
            await accept(ledger, name)
            clock.a_month_later()

        assert await ledger.months_before(MARCH) == [JANUARY, FEBRUARY]
        assert await ledger.months_before(JANUARY) == []

    async def test_a_month_goes_with_everything_and_others_stay(self, ledger: Ledger, clock: MonthClock) -> None:
        old = await accept(ledger, "old", 2, Annotation("tone", 1, "ann"))
        await judge(ledger, old)
        clock.a_month_later()
        new = await accept(ledger, "new", 2, Annotation("tone", 1, "ann"))
        await judge(ledger, new)

        gone = await let_go(ledger, JANUARY)

        page = await ledger.query(PROJECT, EvaluationQuery())
        assert gone == 1
        assert await ledger.find(PROJECT, "old") is None
        assert await ledger.evaluated(old.conversation_key) is None
        assert [one.revision_key for one in await ledger.load([old, new])] == [new]
        said = await ledger.annotations([old.conversation_key, new.conversation_key])
        assert [one.conversation_key for one in said] == [new.conversation_key]
        assert [(one.head.conversation_id, len(one.evaluations)) for one in page.items] == [("new", 2)]
        assert await ledger.months_before(FEBRUARY) == []

    async def test_a_conversation_revised_later_stays_whole_and_readable(
        self, ledger: Ledger, clock: MonthClock
    ) -> None:
        first = await accept(ledger, "c-1", 2, Annotation("tone", 1, "ann"))
        await judge(ledger, first)
        clock.a_month_later()
        sent = [a_submission(a_conversation("c-1", turns)) for turns in (4, 6)]  # which begin as the first did
        keys = [(await ledger.add([one], LANES))[0].revision_key for one in sent]
        await judge(ledger, keys[-1])

        gone = await let_go(ledger, JANUARY)

        found = await ledger.evaluated(first.conversation_key)
        assert gone == 0
        assert [one.body for one in await ledger.load([first, *keys])] == [one.body for one in sent]
        assert found is not None
        assert (found.revision, len(found.evaluations)) == (3, 2)
        assert await ledger.evaluated(first.conversation_key, 1) is None
        assert len(await ledger.annotations([first.conversation_key])) == 1
        assert (await accept(ledger, "c-1", 8)).revision == 4

    async def test_an_id_whose_conversation_went_is_new_again(self, ledger: Ledger, clock: MonthClock) -> None:
        await accept(ledger, "c-1", 2, Annotation("tone", 1, "ann"))
        clock.a_month_later()
        await let_go(ledger, JANUARY)

        receipts = await ledger.add([a_submission()], LANES)

        assert (receipts[0].status, receipts[0].revision_key.revision) == ("accepted", 1)
        assert await ledger.annotations([receipts[0].revision_key.conversation_key]) == []

    async def test_what_is_not_evaluated_is_counted_while_it_is_the_latest(
        self, ledger: Ledger, clock: MonthClock
    ) -> None:
        await judge(ledger, await accept(ledger, "done"))
        await accept(ledger, "pending")
        await accept(ledger, "revised")
        clock.a_month_later()
        await accept(ledger, "revised", 4)

        assert (await ledger.unevaluated(JANUARY), await ledger.unevaluated(FEBRUARY)) == (1, 1)

    async def test_everything_a_month_holds_is_read_before_it_goes(self, ledger: Ledger, clock: MonthClock) -> None:
        key = await accept(ledger, "c-1", 2, Annotation("tone", "ä", "ann", "t/1"))
        await judge(ledger, key)
        clock.a_month_later()
        await accept(ledger, "later")
        before = await rows_of(ledger, JANUARY)

        await ledger.close_month(JANUARY)

        rows = await rows_of(ledger, JANUARY)
        assert rows == before
        assert {name: len(some) for name, some in rows.items()} == {
            "evaluations": 2,
            "issues": 2,
            "revisions": 1,
            "verdicts": 1,
            "annotations": 1,
        }
        (revision,), (said,) = rows["revisions"], rows["annotations"]
        assert revision["body"].encode() == a_submission().body
        assert revision["accepted_at"] == datetime(2031, 1, 31, 23, 59, 59, tzinfo=UTC)
        assert revision["conversation_key"] == said["conversation_key"] == key_to_text(key.conversation_key)
        assert (said["label"], rows["verdicts"][0]["overall"]) == ("ä", 0.9)

    async def test_more_rows_than_are_read_at_once_are_each_given_once(self, ledger: Ledger, clock: MonthClock) -> None:
        await ledger.add([a_submission(a_conversation(f"c-{number}")) for number in range(250)], LANES)
        clock.a_month_later()

        rows = (await rows_of(ledger, JANUARY))["revisions"]

        assert {row["conversation_id"] for row in rows} == {f"c-{number}" for number in range(250)}
        assert len(rows) == 250

    async def test_other_rows_of_the_same_month_have_another_mark(self, ledger: Ledger, clock: MonthClock) -> None:
        first, january = await accept(ledger), clock.now
        parts = await ledger.month_parts(JANUARY)
        await let_go(ledger, JANUARY)
        clock.now = january - timedelta(seconds=1)
        await accept(ledger)

        late = await ledger.month_parts(JANUARY)

        assert [(one.table, one.rows) for one in late] == [(one.table, one.rows) for one in parts] == [("revisions", 1)]
        assert late[0].mark != parts[0].mark
        assert await let_go(ledger, JANUARY) == 1
        assert await ledger.load([first]) == []

    async def test_letting_go_again_does_nothing(self, ledger: Ledger, clock: MonthClock) -> None:
        await accept(ledger)
        clock.a_month_later()
        new = await accept(ledger, "new")

        gone = [await let_go(ledger, JANUARY) for _ in range(3)]

        assert gone == [1, 0, 0]
        assert await ledger.month_parts(JANUARY) == []
        assert [one.revision_key for one in await ledger.load([new])] == [new]


class DeletionContract(OpenedLedger):
    """What every ledger must do with conversations that are to be deleted; needs the fixture `url`."""

    async def test_everything_of_a_conversation_goes_and_others_stay(self, ledger: Ledger) -> None:
        for name in ("gone", "stays"):
            await judge(ledger, await accept(ledger, name, 2, Annotation("tone", 1, "ann")))
            await judge(ledger, await accept(ledger, name, 4))
        gone, stays = [await self.key_of(ledger, name) for name in ("gone", "stays")]

        deleted = await ledger.delete([gone])

        page = await ledger.query(PROJECT, EvaluationQuery())
        heads = await ledger.list_heads(PROJECT, ConversationFilter())
        rows = await rows_of(ledger, Month.of(datetime.now(UTC)))
        assert deleted == 1
        assert [await ledger.evaluated(gone, revision) for revision in (None, 1, 2)] == [None] * 3
        assert await ledger.load([RevisionKey(gone, 1), RevisionKey(gone, 2)]) == []
        assert await ledger.annotations([gone]) == []
        assert [one.head.conversation_id for one in page.items] == ["stays"]
        assert [one.conversation_id for one in heads.items] == ["stays"]
        assert {row["conversation_key"] for some in rows.values() for row in some} == {key_to_text(stays)}
        assert len(rows["revisions"]) == 2

    async def test_deleting_again_finds_nothing(self, ledger: Ledger) -> None:
        key = (await accept(ledger)).conversation_key

        assert [await ledger.delete(some) for some in ([key], [key], [b"\0" * 16], [])] == [1, 0, 0, 0]

    async def test_what_a_worker_has_in_hand_does_not_come_back(self, ledger: Ledger) -> None:
        key = await accept(ledger)
        (in_hand,) = await ledger.load([key])

        await ledger.delete([key.conversation_key])

        assert not await close(ledger, "checks", in_hand.revision_key, an_evaluation(key.conversation_key))
        await ledger.fail([key], "judges", "no")
        assert await ledger.load_outstanding([key], "judges") == []
        assert await ledger.pending("checks", accepted_before=datetime.now(UTC) + SOON, limit=9) == []
        assert await ledger.reopen([key], "judges") == []
        assert await ledger.annotate(key.conversation_key, [Annotation("tone", 1, "ann")]) == 0
        assert await rows_of(ledger, Month.of(datetime.now(UTC))) == {}

    async def test_an_id_that_was_deleted_is_new_again(self, ledger: Ledger) -> None:
        await accept(ledger, "c-1", 2, Annotation("tone", 1, "ann"))
        key = (await accept(ledger, "c-1", 4)).conversation_key
        await ledger.delete([key])

        receipt = await self.add(ledger)

        assert (receipt.status, receipt.revision_key.revision) == ("accepted", 1)
        assert await ledger.annotations([key]) == []

    async def key_of(self, ledger: Ledger, name: str) -> bytes:
        """Find a conversation's key."""
        head: Any = await ledger.find(PROJECT, name)
        return head.revision_key.conversation_key
