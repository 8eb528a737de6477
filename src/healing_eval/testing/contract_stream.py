"""Is this stream correct? It is when a subclass of `StreamContract` with a fixture `url` is green."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from healing_eval import plugins
from healing_eval.domain.revision import RevisionKey
from healing_eval.ports.stream import DeadLetter, Delivery, Stream

TRACEPARENT = f"00-{10**30:032x}-{10**15:016x}-01"
IDLE_SECONDS = 0.5
"""After this long a message is claimed, in tests of holding it."""
KEPT = 5
"""Dead letters that a lane keeps in these tests."""


def keys_of(count: int) -> list[RevisionKey]:
    """Make as many keys."""
    return [RevisionKey(number.to_bytes(16, "big"), number + 1) for number in range(count)]


def read_keys(deliveries: list[Delivery]) -> list[RevisionKey]:
    """List what was delivered."""
    return [one.revision_key for one in deliveries]


class StreamContract:
    """What every stream must do."""

    @pytest.fixture
    async def stream(self, url: str) -> AsyncGenerator[Stream]:
        stream = cast("type[Stream]", plugins.load_for_url(plugins.STREAM, url)).from_url(url, dead_letters=KEPT)
        await stream.open(["checks", "judges"])
        yield stream
        await stream.close()

    async def take(self, stream: Stream, *, lane: str = "checks", count: int = 100) -> list[Delivery]:
        """Read what is there without waiting long."""
        return await stream.read(lane, "worker-1", count=count, wait_seconds=0.01)

    async def test_it_says_in_one_line_what_it_is(self, stream: Stream) -> None:
        about = await stream.about()

        assert about.strip() == about != ""
        assert about.isprintable()

    async def test_keys_are_read_in_the_order_they_were_appended(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(5))

        first, second = await self.take(stream, count=3), await self.take(stream)

        assert read_keys([*first, *second]) == keys_of(5)
        assert {one.attempt for one in first} == {1}
        assert len({one.message_id for one in [*first, *second]}) == 5

    async def test_who_brings_work_can_go_on_with_it_before_anybody_else(self, stream: Stream) -> None:
        waiting = asyncio.create_task(stream.read("checks", "worker-2", count=9, wait_seconds=0.3))
        await asyncio.sleep(0.05)

        taken = await stream.append_and_read("checks", keys_of(3), "worker-1", count=9, traceparent=TRACEPARENT)

        assert read_keys(taken) == keys_of(3)
        assert {(one.attempt, one.traceparent) for one in taken} == {(1, TRACEPARENT)}
        assert await waiting == []
        await stream.hold("checks", "worker-1", taken)
        await stream.ack("checks", taken)
        assert await stream.depth("checks") == 0

    async def test_what_has_waited_for_longer_is_taken_first(self, stream: Stream) -> None:
        first, second, third = keys_of(3)
        await stream.append("checks", [first, second])

        taken = await stream.append_and_read("checks", [third], "worker-1", count=2)

        assert read_keys(taken) == [first, second]
        assert {one.traceparent for one in taken} == {None}
        assert read_keys(await self.take(stream)) == [third]

    async def test_who_has_no_room_only_appends(self, stream: Stream) -> None:
        assert await stream.append_and_read("checks", keys_of(2), "worker-1", count=0) == []
        assert await stream.append_and_read("checks", [], "worker-1", count=0) == []

        assert read_keys(await self.take(stream)) == keys_of(2)

    async def test_many_are_added_and_as_many_taken_as_asked_for(self, stream: Stream) -> None:
        keys = keys_of(2500)

        taken = await stream.append_and_read("a new lane", keys, "worker-1", count=2400)

        assert read_keys(taken) == keys[:2400]
        assert read_keys(await self.take(stream, lane="a new lane")) == keys[2400:]

    async def test_what_is_in_one_consumers_hands_is_read_by_nobody_else(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(2))
        await self.take(stream, count=1)

        others = await stream.read("checks", "worker-2", count=9, wait_seconds=0.01)

        assert read_keys(others) == keys_of(2)[1:]

    async def test_lanes_are_kept_apart_and_made_on_demand(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(1))
        await stream.append("a new lane", keys_of(2))

        assert await self.take(stream, lane="judges") == []
        assert read_keys(await self.take(stream, lane="a new lane")) == keys_of(2)

    async def test_a_reader_is_woken_by_what_is_appended(self, stream: Stream) -> None:
        reader = asyncio.create_task(stream.read("checks", "worker-1", count=9, wait_seconds=30))
        await asyncio.sleep(0)

        await stream.append("checks", keys_of(1))

        assert read_keys(await reader) == keys_of(1)

    async def test_an_empty_lane_gives_nothing_after_the_wait(self, stream: Stream) -> None:
        assert await self.take(stream) == []

    async def test_since_when_something_fails_is_remembered_from_its_first_failure_on(self, stream: Stream) -> None:
        one, other = keys_of(2)

        first = await stream.failing_for("checks", [one], remember_seconds=3600)
        await asyncio.sleep(0.01)
        again = await stream.failing_for("checks", [other, one], remember_seconds=3600)
        elsewhere = await stream.failing_for("judges", [one], remember_seconds=3600)

        assert (first, again[0], elsewhere) == ([0], 0, [0])
        assert 0 < again[1] < 3600
        assert await stream.depth("checks") == 0

    async def test_a_first_failure_is_forgotten_after_its_time(self, stream: Stream) -> None:
        await stream.failing_for("checks", keys_of(3), remember_seconds=3600)
        await asyncio.sleep(0.02)

        assert await stream.failing_for("checks", keys_of(3), remember_seconds=0.001) == [0, 0, 0]

    async def test_the_first_failure_of_what_is_settled_can_be_forgotten_at_once(self, stream: Stream) -> None:
        one, other, never_failed = keys_of(3)
        await stream.failing_for("checks", [one, other], remember_seconds=3600)
        await stream.failing_for("judges", [one], remember_seconds=3600)
        await asyncio.sleep(0.01)

        await stream.forget_failing("checks", [one, never_failed])
        await stream.forget_failing("a new lane", [one])
        await stream.forget_failing("checks", [])

        again, still = await stream.failing_for("checks", [one, other], remember_seconds=3600)
        (elsewhere,) = await stream.failing_for("judges", [one], remember_seconds=3600)
        assert again == 0 < min(still, elsewhere)

    async def test_an_acknowledged_message_never_comes_back(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(2))
        taken = await self.take(stream)

        await stream.ack("checks", taken[:1])
        await stream.ack("checks", taken[:1])

        assert read_keys(await stream.claim("checks", "worker-2", count=9, idle_seconds=0)) == keys_of(2)[1:]
        assert await stream.depth("checks") == 1

    async def test_what_somebody_holds_for_too_long_is_claimed_and_counted(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(3))
        await self.take(stream)

        claimed = await stream.claim("checks", "worker-2", count=2, idle_seconds=0)

        assert read_keys(claimed) == keys_of(2)
        assert [one.attempt for one in claimed] == [2, 2]
        assert await stream.claim("checks", "worker-2", count=2, idle_seconds=3600) == []

    async def test_what_its_holder_holds_is_claimed_by_nobody(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(2))
        held, left = await self.take(stream, count=1), await self.take(stream, count=1)

        await asyncio.sleep(IDLE_SECONDS)
        await stream.hold("checks", "worker-1", held)

        claimed = await stream.claim("checks", "worker-2", count=9, idle_seconds=IDLE_SECONDS)
        assert [(one.message_id, one.attempt) for one in claimed] == [(left[0].message_id, 2)]

    async def test_what_is_no_longer_held_is_claimed_and_holding_counted_as_no_attempt(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(2))
        taken = await self.take(stream)
        for _ in range(5):
            await stream.hold("checks", "worker-1", taken)

        (claimed,) = await stream.claim("checks", "worker-2", count=1, idle_seconds=0)
        await stream.release("checks", [one for one in taken if one.message_id != claimed.message_id], delay_seconds=0)

        (given_back,) = await self.take(stream)
        assert (claimed.attempt, given_back.attempt) == (2, 2)

    async def test_what_another_took_over_is_not_taken_back_by_holding_it(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(1))
        late = await self.take(stream)
        (claimed,) = await stream.claim("checks", "worker-2", count=1, idle_seconds=0)
        await asyncio.sleep(IDLE_SECONDS)

        await stream.hold("checks", "worker-1", late)

        idle = await stream.claim("checks", "worker-3", count=1, idle_seconds=IDLE_SECONDS)
        assert [(one.message_id, one.attempt) for one in idle] == [(claimed.message_id, 3)]

    async def test_holding_what_is_done_given_back_or_was_never_there_changes_nothing(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(2))
        done, given_back = await self.take(stream)
        await stream.ack("checks", [done])
        await stream.release("checks", [given_back], delay_seconds=3600)

        await stream.hold("checks", "worker-1", [done, given_back])
        await stream.hold("checks", "worker-1", [])
        await stream.hold("a new lane", "worker-1", [done])

        assert await stream.claim("checks", "worker-2", count=9, idle_seconds=0) == []
        assert (await stream.depth("checks"), await stream.depth("a new lane")) == (1, 0)

    async def test_what_is_given_back_is_handed_out_again_and_counted(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(1))
        taken = await self.take(stream)

        await stream.release("checks", taken, delay_seconds=0)

        again = await stream.read("checks", "worker-2", count=9, wait_seconds=5)
        assert [(one.revision_key, one.attempt) for one in again] == [(keys_of(1)[0], 2)]

    async def test_what_is_given_back_untried_has_not_been_attempted(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(1))
        await stream.release("checks", await self.take(stream), delay_seconds=0, tried=False)

        again = await stream.read("checks", "worker-2", count=9, wait_seconds=5)

        assert [(one.revision_key, one.attempt) for one in again] == [(keys_of(1)[0], 1)]

    async def test_what_is_given_back_for_later_is_not_handed_out_now(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(1))
        await stream.release("checks", await self.take(stream), delay_seconds=3600)

        assert await self.take(stream) == []
        assert await stream.claim("checks", "worker-2", count=9, idle_seconds=0) == []
        assert await stream.depth("checks") == 1

    async def test_a_waiting_reader_gets_what_becomes_due(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(1))
        await stream.release("checks", await self.take(stream), delay_seconds=0.02)

        due = await stream.read("checks", "worker-2", count=9, wait_seconds=30)

        assert read_keys(due) == keys_of(1)

    async def test_the_depth_counts_what_is_not_acknowledged(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(3))
        taken = await self.take(stream, count=2)
        before = await stream.depth("checks")

        await stream.ack("checks", taken)

        assert (before, await stream.depth("checks"), await stream.depth("judges")) == (3, 1, 0)

    async def test_the_same_key_twice_is_two_messages(self, stream: Stream) -> None:
        await stream.append("checks", [*keys_of(1), *keys_of(1)])

        assert len(await self.take(stream)) == 2

    async def test_many_readers_share_the_messages(self, stream: Stream) -> None:
        readers = [
            asyncio.create_task(stream.read("checks", f"worker-{number}", count=1, wait_seconds=30))
            for number in range(8)
        ]

        await stream.append("checks", keys_of(8))

        taken = [one for some in await asyncio.gather(*readers) for one in some]
        assert sorted(read_keys(taken), key=lambda key: key.revision) == keys_of(8)

    async def test_what_somebody_else_took_over_cannot_be_given_back(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(1))
        late = await self.take(stream)
        await stream.claim("checks", "worker-2", count=1, idle_seconds=0)

        await stream.release("checks", late, delay_seconds=0)

        assert await self.take(stream) == []

    async def test_what_is_given_back_often_keeps_its_count(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(1))
        await stream.release("checks", await self.take(stream), delay_seconds=0)
        again = await self.take(stream)

        await stream.claim("checks", "worker-2", count=1, idle_seconds=0)
        (claimed,) = await stream.claim("checks", "worker-3", count=1, idle_seconds=0)
        await stream.release("checks", [claimed], delay_seconds=0.01)

        (last,) = await stream.read("checks", "worker-1", count=1, wait_seconds=5)
        assert [one.attempt for one in again] == [2]
        assert (claimed.attempt, last.attempt) == (4, 5)

    async def test_a_revision_beyond_the_usual_is_carried(self, stream: Stream) -> None:
        key = RevisionKey(bytes(range(16)), 4_000_000_000)
        await stream.append("checks", [key])

        assert read_keys(await self.take(stream)) == [key]

    async def test_what_is_buried_is_listed_and_no_longer_handed_out(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(2))
        taken = await self.take(stream)

        await stream.bury("checks", taken[:1], "it breaks us")
        await stream.bury("checks", taken[:1], "it breaks us")

        (letter,) = (await stream.list_dead("checks", limit=9)).items
        assert (letter.revision_key, letter.reason, letter.attempts) == (keys_of(1)[0], "it breaks us", 1)
        assert abs(datetime.now(UTC) - letter.buried_at) < timedelta(minutes=1)
        assert await stream.depth("checks") == 1
        assert read_keys(await stream.claim("checks", "worker-2", count=9, idle_seconds=0)) == keys_of(2)[1:]

    async def test_what_was_acknowledged_is_not_buried(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(1))
        taken = await self.take(stream)
        await stream.ack("checks", taken)

        await stream.bury("checks", taken, "too late")

        assert (await stream.list_dead("checks", limit=9)).items == []

    async def test_a_traceparent_travels_with_its_keys_until_they_are_done(self, stream: Stream) -> None:
        await stream.append("checks", keys_of(2), traceparent=TRACEPARENT)
        await stream.append("checks", keys_of(3)[2:])

        taken = await self.take(stream)
        claimed = await stream.claim("checks", "worker-2", count=9, idle_seconds=0)
        await stream.release("checks", claimed[:1], delay_seconds=0)
        await stream.release("checks", claimed[1:], delay_seconds=0.01)
        again = [one for _ in keys_of(3) for one in await stream.read("checks", "a", count=1, wait_seconds=2)]

        expected = dict(zip(keys_of(3), (TRACEPARENT, TRACEPARENT, None), strict=True))
        for deliveries in (taken, claimed, again):
            assert {one.revision_key: one.traceparent for one in deliveries} == expected

    async def bury(self, stream: Stream, count: int) -> list[DeadLetter]:
        """Bury the first keys, and list what is dead."""
        await stream.append("checks", keys_of(count))
        for one in await self.take(stream):
            await stream.bury("checks", [one], "a fault of ours")
        return list((await stream.list_dead("checks", limit=99)).items)

    async def test_dead_letters_are_listed_page_by_page_the_oldest_first(self, stream: Stream) -> None:
        await self.bury(stream, KEPT)

        first = await stream.list_dead("checks", limit=3)
        second = await stream.list_dead("checks", limit=3, cursor=first.next_cursor)

        assert [one.revision_key for one in [*first.items, *second.items]] == keys_of(KEPT)
        assert (len(first.items), second.next_cursor) == (3, None)

    async def test_of_too_many_dead_letters_the_oldest_are_dropped(self, stream: Stream) -> None:
        letters = await self.bury(stream, KEPT + 2)

        assert [one.revision_key for one in letters] == keys_of(KEPT + 2)[2:]

    async def test_a_revived_letter_is_handed_out_as_if_never_tried(self, stream: Stream) -> None:
        letters = await self.bury(stream, 3)

        revived = await stream.revive("checks", [letters[0].dead_id, letters[0].dead_id, letters[2].dead_id])

        again = await self.take(stream)
        left = (await stream.list_dead("checks", limit=9)).items
        assert revived == 2
        assert {(one.revision_key, one.attempt) for one in again} == {(keys_of(3)[0], 1), (keys_of(3)[2], 1)}
        assert [one.revision_key for one in left] == keys_of(3)[1:2]
        assert await stream.revive("checks", [letters[0].dead_id]) == 0

    async def test_a_dropped_letter_is_gone(self, stream: Stream) -> None:
        letters = await self.bury(stream, 3)

        dropped = await stream.drop_dead("checks", [letters[1].dead_id])

        left = (await stream.list_dead("checks", limit=9)).items
        assert dropped == 1
        assert [one.revision_key for one in left] == [keys_of(3)[0], keys_of(3)[2]]
        assert await stream.drop_dead("checks", [letters[1].dead_id]) == 0
        assert await self.take(stream) == []

    async def test_dead_letters_of_lanes_are_kept_apart(self, stream: Stream) -> None:
        await self.bury(stream, 1)

        assert (await stream.list_dead("judges", limit=9)).items == []
