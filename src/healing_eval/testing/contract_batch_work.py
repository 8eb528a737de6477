"""Does this keep batch work as it must? It does when a subclass of `BatchWorkContract` with a fixture `url` is green.

The store behind `url` has its schema and nothing in it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from healing_eval import plugins
from healing_eval.ports.batch_work import Asked, BatchWork, State
from healing_eval.ports.ledger import Ledger

MANY = 1100
"""More than one statement names at once."""
ABOUT = b"a" * 16
EVERY_BYTE = bytes(range(256))


def key_of(name: object) -> bytes:
    """Make a key as whoever asks does."""
    return hashlib.blake2b(str(name).encode(), digest_size=16).digest()


def asked(name: object, *, pool: str = "openai:m", **parts: Any) -> Asked:
    """Make a question."""
    return Asked(key_of(name), pool, str(name).encode(), **parts)


async def bundled(work: BatchWork, *names: object, batch_id: str = "b1") -> None:
    """Ask these and put them into a batch."""
    await work.ask([asked(name) for name in names])
    await bundle(work, batch_id)


async def bundle(
    work: BatchWork, batch_id: str, *, most: int = 10_000, size: int = 10**8, pool: str = "openai:m"
) -> int:
    """Put what waits into a batch, and tell how much."""
    batch = await work.bundle(pool, "d", batch_id, most_questions=most, most_bytes=size)
    return 0 if batch is None else batch.questions


async def states(work: BatchWork, *names: object) -> list[State]:
    """Tell the states of questions that were asked before."""
    return [one.state for one in await work.ask([asked(name) for name in names])]


class BatchWorkContract:
    """What everything that keeps batch work must do."""

    @pytest.fixture
    async def work(self, url: str) -> AsyncGenerator[BatchWork]:
        work = _made(url)
        yield work
        await work.close()

    async def test_a_new_question_waits_from_then_on(self, work: BatchWork) -> None:
        first = await work.ask([asked("a"), asked("b", pool="anthropic:m")])
        again = await work.ask([asked("a")])

        assert [one.state for one in first] == ["waiting", "waiting"]
        assert again[0].state == "waiting"
        assert again[0].age_seconds >= 0
        assert [(one.pool, one.questions) for one in await work.waiting()] == [("anthropic:m", 1), ("openai:m", 1)]

    async def test_the_same_question_is_kept_once(self, work: BatchWork) -> None:
        standings = await work.ask([asked("a"), asked("a")])
        await asyncio.gather(*(work.ask([asked("a"), asked(number % 3)]) for number in range(9)))

        assert [one.state for one in standings] == ["waiting", "waiting"]
        assert [one.questions for one in await work.waiting()] == [4]

    async def test_nothing_is_asked_and_nothing_waits(self, work: BatchWork) -> None:
        assert list(await work.ask([])) == []
        assert list(await work.waiting()) == []
        assert await bundle(work, "b1") == 0
        assert list(await work.batches(ended=True)) == []

    async def test_what_waits_longest_goes_first_as_far_as_there_is_room(self, work: BatchWork) -> None:
        for name in ("a", "b", "c"):
            await work.ask([asked(name)])
        await work.ask([asked("other", pool="anthropic:m")])

        counts = [await bundle(work, "b1", most=2), await bundle(work, "b2", most=2), await bundle(work, "b3")]

        assert counts == [2, 1, 0]
        assert {key for key, _ in await work.questions_of("b1")} == {key_of("a"), key_of("b")}
        assert list(await work.questions_of("b2")) == [(key_of("c"), b"c")]
        assert [one.pool for one in await work.waiting()] == ["anthropic:m"]

    async def test_a_batch_is_no_larger_than_told_unless_one_question_is(self, work: BatchWork) -> None:
        for name in ("x" * 100, "y" * 30, "z" * 30):
            await work.ask([asked(name)])

        assert [await bundle(work, f"b{number}", size=60) for number in range(3)] == [1, 2, 0]

    async def test_there_may_be_many_questions(self, work: BatchWork) -> None:
        await work.ask([asked(number) for number in range(MANY)])

        assert await bundle(work, "b1") == MANY
        questions = await work.questions_of("b1")
        await work.settle(
            "b1", {key: b"yes" for key, _ in questions[:600]}, [k for k, _ in questions[600:]], most_failures=2
        )

        assert sorted(request for _, request in questions) == sorted(str(number).encode() for number in range(MANY))
        assert [one.questions for one in await work.waiting()] == [MANY - 600]

    async def test_of_many_who_bundle_at_once_each_question_is_taken_by_one(self, work: BatchWork, url: str) -> None:
        await work.ask([asked(number) for number in range(100)])
        others = [_made(url) for _ in range(3)]

        taken = await asyncio.gather(
            *(bundle(one, f"b{place}-{turn}", most=7) for place, one in enumerate([work, *others]) for turn in range(4))
        )

        await asyncio.gather(*(other.close() for other in others))
        kept = [key for batch in await work.batches() for key, _ in await work.questions_of(batch.batch_id)]
        assert len(kept) == len(set(kept)) == sum(taken)
        assert all(batch.questions <= 7 for batch in await work.batches())

    async def test_what_was_answered_is_there_for_every_process_with_the_mark_it_was_asked_with(
        self, work: BatchWork, url: str
    ) -> None:
        await work.ask([asked("a", mark="first"), asked("b")])
        await bundle(work, "b1")
        await work.settle("b1", {key_of("a"): EVERY_BYTE}, [], most_failures=2)

        other = _made(url)
        found = await other.ask([asked("a", mark="second"), asked("b")])
        await other.close()

        assert [(one.state, one.answer) for one in found] == [("answered", EVERY_BYTE), ("submitted", None)]
        assert found[0].mark == "first"

    async def test_what_failed_waits_again_and_then_is_asked_directly(self, work: BatchWork) -> None:
        await bundled(work, "a")
        await work.settle("b1", {}, [key_of("a")], most_failures=2)
        once = await states(work, "a")
        await bundle(work, "b2")
        await work.settle("b2", {}, [key_of("a")], most_failures=2)

        assert (once, await states(work, "a")) == (["waiting"], ["direct"])
        assert list(await work.waiting()) == []

    async def test_only_what_is_in_a_batch_can_be_settled_by_it(self, work: BatchWork) -> None:
        await bundled(work, "a", "b")
        await bundled(work, "other", batch_id="b2")
        await work.settle("b1", {key_of("a"): b"first"}, [], most_failures=1)

        await work.settle(
            "b1", {key_of("a"): b"second", key_of("other"): b"no", key_of("unknown"): b"no"}, [], most_failures=1
        )
        await work.settle("b2", {}, [key_of("a"), key_of("b"), key_of("unknown")], most_failures=1)

        found = await work.ask([asked("a"), asked("b"), asked("other")])
        assert [(one.state, one.answer) for one in found] == [
            ("answered", b"first"),
            ("submitted", None),
            ("submitted", None),
        ]

    async def test_the_providers_id_is_noted_once(self, work: BatchWork) -> None:
        await bundled(work, "a")

        noted = [await work.handed_in("b1", name) for name in ("theirs", "theirs", "another")]

        assert noted == [True, True, False]
        assert [one.provider_id for one in await work.batches()] == ["theirs"]
        assert not await work.handed_in("unknown", "theirs")

    @pytest.mark.parametrize(("rest", "becomes"), [("again", "waiting"), ("direct", "direct"), ("failed", "waiting")])
    async def test_what_a_batch_left_unanswered_has_its_way(self, work: BatchWork, rest: Any, becomes: State) -> None:
        await bundled(work, "a", "b", "c")
        await work.settle("b1", {key_of("a"): b"yes"}, [key_of("b")], most_failures=3)

        ended = await work.end("b1", rest, "why", most_failures=3)
        again = await work.end("b1", "direct", "other", most_failures=3)

        assert again is None
        assert ended is not None
        assert (ended.ended, ended.questions, ended.answered, ended.reason) == (True, 3, 1, "why")
        assert await states(work, "a", "b", "c") == ["answered", "waiting", becomes]
        assert list(await work.batches()) == []
        assert [one.batch_id for one in await work.batches(ended=True)] == ["b1"]

    async def test_only_failures_bring_a_question_nearer_to_being_asked_directly(self, work: BatchWork) -> None:
        await bundled(work, "a", "b")
        await work.end("b1", "again", None, most_failures=1)
        again = await states(work, "a")
        await bundle(work, "b2")
        await work.end("b2", "failed", None, most_failures=1)

        assert (again, await states(work, "a")) == (["waiting"], ["direct"])

    async def test_a_batch_can_be_cancelled_until_it_has_ended(self, work: BatchWork) -> None:
        await bundled(work, "a")

        told = [await work.cancel("b1"), await work.cancel("b1"), await work.cancel("unknown")]
        seen = [one.cancelled for one in await work.batches()]
        await work.end("b1", "direct", None, most_failures=1)

        assert (told, seen) == ([True, True, False], [True])
        assert not await work.cancel("b1")

    async def test_batches_are_listed_in_the_order_they_were_made(self, work: BatchWork) -> None:
        for number in range(3):
            await bundled(work, number, batch_id=f"b{number}")
        await work.end("b1", "direct", None, most_failures=1)

        open_ones, everything = await work.batches(), await work.batches(ended=True, limit=2)

        assert [one.batch_id for one in open_ones] == ["b0", "b2"]
        assert [one.batch_id for one in everything] == ["b2", "b1"]
        assert all(one.age_seconds >= 0 and one.deployment == "d" for one in open_ones)

    async def test_with_a_conversation_goes_everything_asked_about_it(self, work: BatchWork, url: str) -> None:
        await work.ask([asked("a", about=ABOUT), asked("b", about=ABOUT), asked("c", about=b"c" * 16), asked("d")])
        await bundle(work, "b1")
        await work.settle("b1", {key_of("a"): b"said"}, [], most_failures=1)
        ledger = cast("type[Ledger]", plugins.load_for_url(plugins.LEDGER, url)).from_url(url)
        await ledger.open()

        await ledger.delete([ABOUT, b"unknown".ljust(16)])
        await work.settle("b1", {key_of("b"): b"late"}, [], most_failures=1)

        await ledger.close()
        assert await states(work, "a", "b", "c", "d") == ["waiting", "waiting", "submitted", "submitted"]

    async def test_what_may_still_be_wanted_is_not_swept(self, work: BatchWork) -> None:
        await bundled(work, "a", "b")
        await work.settle("b1", {key_of("a"): b"said"}, [key_of("b")], most_failures=1)
        await work.ask([asked("c")])

        await work.sweep()

        assert await states(work, "a", "b", "c") == ["answered", "direct", "waiting"]
        assert len(await work.batches()) == 1

    async def test_text_may_hold_what_no_database_keeps(self, work: BatchWork) -> None:
        await work.ask([asked("a", mark="nul \x00 and \ud800")])
        await bundle(work, "b1")

        ended = await work.end("b1", "direct", "they said \x00", most_failures=1)

        assert ended is not None
        assert ended.reason == "they said \ufffd"


def _made(url: str) -> BatchWork:
    return cast("type[BatchWork]", plugins.load_for_url(plugins.BATCH_WORK, url)).from_url(url)
