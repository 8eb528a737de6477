"""Does too much wait? Counted beside the requests, and let go of in the end."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from healing_eval.errors import BackendError, BacklogFull
from healing_eval.pipeline.backlog import Backlog
from healing_eval.ports.ledger import Ledger
from healing_eval.testing.waiting import wait_until


class Shelf:
    """Counts only when it is let, and knows whether somebody still counts."""

    def __init__(self, pending: int = 0, error: BackendError | None = None) -> None:
        self.pending = pending
        self.asked = 0
        self.go_on = asyncio.Event()
        self.counting = False
        self._error = error

    async def count_pending(self, *, limit: int) -> int:
        self.asked += 1
        self.counting = True
        try:
            await self.go_on.wait()
        finally:
            self.counting = False
        if self._error is not None:
            raise self._error
        return min(self.pending, limit)


def backlog(shelf: Shelf, most: int = 10) -> Backlog:
    return Backlog(cast("Ledger", shelf), most)


async def refused(watched: Backlog) -> bool:
    try:
        watched.check()
    except BacklogFull:
        return True
    return False


async def test_it_refuses_once_a_count_has_found_too_much_and_nobody_waits_for_the_count() -> None:
    shelf = Shelf(pending=11)
    watched = backlog(shelf)

    assert not await refused(watched)
    shelf.go_on.set()
    await wait_until(lambda: refused(watched))

    with pytest.raises(BacklogFull, match=r"limits\.backlog"):
        watched.check()


async def test_as_much_as_the_limit_is_not_too_much_and_0_is_no_limit() -> None:
    at_the_limit, unlimited = Shelf(pending=10), Shelf(pending=10**9)
    for shelf, most in ((at_the_limit, 10), (unlimited, 0)):
        shelf.go_on.set()
        watched = backlog(shelf, most)
        watched.check()
        await asyncio.sleep(0.01)
        watched.check()
        await watched.close()

    assert (at_the_limit.asked, unlimited.asked) == (1, 0)


async def test_many_requests_share_one_count() -> None:
    shelf = Shelf()
    watched = backlog(shelf)

    for _ in range(100):
        watched.check()
        await asyncio.sleep(0)

    assert shelf.asked == 1
    await watched.close()


async def test_a_store_that_fails_refuses_nobody() -> None:
    shelf = Shelf(pending=99, error=BackendError("down"))
    shelf.go_on.set()
    watched = backlog(shelf)

    watched.check()
    await asyncio.sleep(0.01)

    watched.check()


async def test_closing_waits_until_the_count_has_let_go() -> None:
    shelf = Shelf()
    watched = backlog(shelf)
    watched.check()
    await asyncio.sleep(0)
    assert shelf.counting

    await watched.close()

    assert not shelf.counting
