"""How does what many ask for at about the same time become one call?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

Group = TypeVar("Group", bound=Hashable)
Item = TypeVar("Item")
Found = TypeVar("Found")


class _Gathering(Generic[Item, Found]):
    """What waits to be done together."""

    def __init__(self, timer: asyncio.Handle) -> None:
        self.timer = timer
        self.items: list[Item] = []
        self.waiting: list[asyncio.Future[Found]] = []


class Gatherer(Generic[Group, Item, Found]):
    """Does work for several items at once: for so many, or for those that came within so long, whichever is first."""

    def __init__(
        self, work: Callable[[Group, Sequence[Item]], Awaitable[Sequence[Found]]], *, most: int, wait_seconds: float
    ) -> None:
        """Set what is done together.

        Args:
            work: does it for items of one group; gives one result for each, in their order.
            most: items at once, at least 1.
            wait_seconds: from the first item on; 0: those that come before the event loop turns to something else.
        """
        self._work = work
        self._most = most
        self._wait_seconds = wait_seconds
        self._gathering: dict[Group, _Gathering[Item, Found]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def do(self, group: Group, item: Item) -> Found:
        """Have it done together with others of its group; raises what the work raises."""
        loop = asyncio.get_running_loop()
        gathering = self._gathering.get(group)
        if gathering is None:
            timer = loop.call_later(self._wait_seconds, self._begin, group)
            gathering = self._gathering[group] = _Gathering(timer)
        done: asyncio.Future[Found] = loop.create_future()
        gathering.items.append(item)
        gathering.waiting.append(done)
        if len(gathering.items) == self._most:
            gathering.timer.cancel()
            self._begin(group)
        return await done

    def _begin(self, group: Group) -> None:
        gathering = self._gathering.pop(group)
        wanted = [pair for pair in zip(gathering.items, gathering.waiting, strict=True) if not pair[1].cancelled()]
        if not wanted:
            return
        items, waiting = zip(*wanted, strict=True)
        task = asyncio.create_task(self._run(group, items, waiting))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

        def stop_if_unwanted(one: asyncio.Future[Found]) -> None:
            if one.cancelled() and not task.done() and all(done.cancelled() for done in waiting):
                task.cancel()

        for done in waiting:
            done.add_done_callback(stop_if_unwanted)

    async def _run(self, group: Group, items: Sequence[Item], waiting: Sequence[asyncio.Future[Found]]) -> None:
        try:
            found = await self._work(group, items)
        except BaseException as error:
            for done in waiting:
                if not done.done():
                    done.cancel() if isinstance(error, asyncio.CancelledError) else done.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for done, result in zip(waiting, found, strict=True):
            if not done.done():
                done.set_result(result)
