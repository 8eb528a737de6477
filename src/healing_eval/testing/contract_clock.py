"""Does this ledger go by its store's clock, whatever its host's says? It does when a `ClockContract` is green.

A subclass opens a ledger on an empty store whose clock is `ahead` of this host's; so to the store, this is a host whose
clock is wrong, once by an hour this way and once by an hour that way:

    class TestMyClock(ClockContract):
        @pytest.fixture
        async def ledger(self, ahead): ...
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from healing_eval.domain.annotation import Annotation
from healing_eval.domain.month import Month
from healing_eval.domain.query import ConversationFilter, EvaluationQuery
from healing_eval.ports.ledger import Ledger
from healing_eval.testing.builders import PROJECT
from healing_eval.testing.contract_retention import accept, judge, rows_of

HOUR = timedelta(hours=1)
A_LITTLE = timedelta(minutes=5)
"""More than a test takes, and less than the clocks differ."""


class ClockContract:
    """What every ledger must do with times."""

    @pytest.fixture(params=[HOUR, -HOUR], ids=["store ahead", "store behind"])
    def ahead(self, request: pytest.FixtureRequest) -> timedelta:
        return request.param

    async def test_it_tells_the_time_of_the_store(self, ledger: Ledger, ahead: timedelta) -> None:
        now = await ledger.now()

        assert now.utcoffset() == timedelta(0)
        assert abs(now - datetime.now(UTC) - ahead) < A_LITTLE

    async def test_all_that_is_stored_is_dated_by_it(self, ledger: Ledger) -> None:
        before = await ledger.now()
        key = await accept(ledger, "c-1", 2, Annotation("tone", 1, "ann"))
        await judge(ledger, key)
        await ledger.annotate(key.conversation_key, [Annotation("tone", 2, "ann")])
        given_up = await accept(ledger, "c-2")
        for lane in ("checks", "judges"):
            await ledger.fail([given_up], lane, "it breaks us")
        after = await ledger.now()

        rows = await rows_of(ledger, Month.of(after))

        times = {
            f"{table}.{column}": {row[column] for row in some}
            for table, some in rows.items()
            for column in ("accepted_at", "evaluated_at", "created_at")
            if column in some[0]
        }
        assert {table: len(some) for table, some in rows.items()} == {
            "revisions": 2,
            "evaluations": 2,
            "issues": 2,
            "verdicts": 2,
            "annotations": 2,
        }
        assert [name for name, found in times.items() if not all(before <= one <= after for one in found)] == []

    async def test_what_waits_is_found_by_its_age(self, ledger: Ledger) -> None:
        key = await accept(ledger)
        since = await ledger.pending_since("checks")
        now = await ledger.now()

        assert since is not None
        assert timedelta(0) <= now - since < A_LITTLE
        assert await ledger.pending("checks", accepted_before=now + timedelta(microseconds=1), limit=9) == [key]
        assert await ledger.pending("checks", accepted_before=now - A_LITTLE, limit=9) == []

    async def test_lists_between_two_times_are_by_it(self, ledger: Ledger) -> None:
        before = await ledger.now()
        await judge(ledger, await accept(ledger))
        after = await ledger.now() + timedelta(microseconds=1)

        async def names(first: datetime, end: datetime) -> list[str]:
            heads = await ledger.list_heads(PROJECT, ConversationFilter(accepted_from=first, accepted_before=end))
            judged = await ledger.query(PROJECT, EvaluationQuery(evaluated_from=first, evaluated_before=end))
            return [one.conversation_id for one in (*heads.items, *(found.head for found in judged.items))]

        assert await names(before, after) == ["c-1", "c-1"]
        assert await names(after, after + A_LITTLE) == await names(before - A_LITTLE, before) == []
