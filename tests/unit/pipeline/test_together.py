"""Who arrives together, goes together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from healing_eval.domain.revision import Receipt, RevisionKey, Submission
from healing_eval.errors import BackendError
from healing_eval.pipeline.together import MOST_TOGETHER, Together
from healing_eval.testing.builders import a_conversation, a_submission


def submission(name: str) -> Submission:
    return a_submission(a_conversation(name))


class SlowShelf:
    """Holds each transaction open until it is let go, and remembers what was in it."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.fails_with: Exception | None = None
        self.poison = ""

    async def add(self, submissions: Sequence[Submission]) -> list[Receipt]:
        names = [one.conversation_id for one in submissions]
        self.transactions.append(names)
        self.begun.set()
        await self.go_on.wait()
        if self.fails_with is not None:
            raise self.fails_with
        if self.poison in names:
            raise ValueError(self.poison)
        return [Receipt("accepted", RevisionKey(one.key, 1), "pending") for one in submissions]


Adds = Together[Submission, Receipt]


def adds(shelf: SlowShelf) -> Adds:
    return Together(shelf.add)


async def send(to: Adds, *names: str) -> list[bytes]:
    receipts = await to.write([submission(name) for name in names])
    return [receipt.revision_key.conversation_key for receipt in receipts]


def keys_of(*names: str) -> list[bytes]:
    return [submission(name).key for name in names]


async def test_who_arrives_during_a_transaction_shares_the_next_one_and_gets_the_own_receipts() -> None:
    shelf = SlowShelf()
    shared = adds(shelf)
    first = asyncio.create_task(send(shared, "a"))
    await shelf.begun.wait()

    later = [asyncio.create_task(send(shared, *names)) for names in (("b",), ("c", "d"), ("e",))]
    await asyncio.sleep(0)
    shelf.go_on.set()

    assert await first == keys_of("a")
    assert [await one for one in later] == [keys_of("b"), keys_of("c", "d"), keys_of("e")]
    assert shelf.transactions == [["a"], ["b", "c", "d", "e"]]


async def test_after_a_transaction_of_several_the_next_waits_a_moment_for_them() -> None:
    shelf = SlowShelf()
    shelf.go_on.set()
    shared = adds(shelf)

    async def send_twice(name: str, turns: int) -> None:
        await send(shared, name)
        for _ in range(turns):  # as an answer and the next request take, over a network
            await asyncio.sleep(0)
        await send(shared, f"{name} again")

    await asyncio.gather(send_twice("a", 3), send_twice("b", 6), send_twice("c", 9))

    assert shelf.transactions == [["a", "b", "c"], ["a again", "b again", "c again"]]


async def test_the_moment_is_as_long_as_whoever_writes_can_wait() -> None:
    shelf = SlowShelf()
    shelf.go_on.set()
    shared = Together(shelf.add, moment_seconds=0.2)

    async def send_later(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await send(shared, name)

    await asyncio.gather(*(send(shared, name) for name in "abc"), send_later("d", 0.02), send_later("e", 0.04))

    assert shelf.transactions == [["a", "b", "c"], ["d", "e"]]


async def test_a_shared_transaction_has_a_largest_size() -> None:
    shelf = SlowShelf()
    shared = adds(shelf)
    first = asyncio.create_task(send(shared, "a"))
    await shelf.begun.wait()
    large = [f"x{number}" for number in range(MOST_TOGETHER)]

    later = [asyncio.create_task(send(shared, *names)) for names in (("b",), large, ("c",))]
    await asyncio.sleep(0)
    shelf.go_on.set()
    await asyncio.gather(first, *later)

    assert [len(one) for one in shelf.transactions] == [1, 1, MOST_TOGETHER, 1]


async def test_an_outage_refuses_all_who_shared_it_and_nobody_after_it() -> None:
    shelf = SlowShelf()
    shared = adds(shelf)
    shelf.fails_with = BackendError("the disk is full")
    shelf.go_on.set()

    for name in ("a", "b"):
        with pytest.raises(BackendError, match="the disk is full"):
            await send(shared, name)
    shelf.fails_with = None

    assert await send(shared, "a") == keys_of("a")


async def test_a_fault_of_ours_costs_only_the_request_that_causes_it() -> None:
    shelf = SlowShelf()
    shared = adds(shelf)
    shelf.poison = "bad"
    first = asyncio.create_task(send(shared, "a"))
    await shelf.begun.wait()

    later = [asyncio.create_task(send(shared, name)) for name in ("b", "bad", "c")]
    await asyncio.sleep(0)
    shelf.go_on.set()
    done = await asyncio.gather(first, *later, return_exceptions=True)

    assert done[:2] == [keys_of("a"), keys_of("b")]
    assert isinstance(done[2], ValueError)
    assert done[3] == keys_of("c")


async def test_a_client_that_has_gone_takes_nothing_from_the_others() -> None:
    shelf = SlowShelf()
    shared = adds(shelf)
    gone = asyncio.create_task(send(shared, "a"))
    await shelf.begun.wait()
    other = asyncio.create_task(send(shared, "b"))
    await asyncio.sleep(0)

    gone.cancel()
    shelf.go_on.set()

    assert await other == keys_of("b")
    assert gone.cancelled() or gone.cancelling()


async def test_what_nobody_waits_for_any_more_can_be_broken_off() -> None:
    shelf = SlowShelf()
    shared = adds(shelf)
    waiting = asyncio.create_task(send(shared, "a"))
    await shelf.begun.wait()
    waiting.cancel()

    await shared.close()
    shelf.go_on.set()

    assert await send(shared, "b") == keys_of("b")
    assert shelf.transactions == [["a"], ["b"]]
