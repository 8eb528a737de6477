"""How do those who write at the same time share one transaction?

A commit costs the same for one conversation as for a hundred. While one transaction is under way, whatever arrives
waits for it, and then goes with the next one all together. After a transaction of several, the next one begins a
moment later: those who were just answered come again, and it is as large. A lone writer waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from healing_eval.errors import BackendError

MOST_TOGETHER = 500
"""Items in one shared transaction; who brings more goes alone."""
SEVERAL = 3
"""From so many writers in one transaction on, others are likely to be about to come."""
MOMENT_SECONDS = 0.002
"""How long is waited for them where somebody waits for an answer. With 32 writers it halves the transactions, and
everybody is served sooner."""

Item = TypeVar("Item")
Done = TypeVar("Done")


class _Waiting(msgspec.Struct, Generic[Item, Done], frozen=True):
    items: Sequence[Item]
    answer: asyncio.Future[list[Done]]


class Together(Generic[Item, Done]):
    """Has items written, together with those of whoever else is waiting."""

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Done]]],
        *,
        moment_seconds: float = MOMENT_SECONDS,
    ) -> None:
        """Take who writes, and when the next transaction begins after one of several.

        Args:
            write: stores items in one transaction and gives one result for each, in order.
            moment_seconds: how long is waited for others after a transaction that several shared.
        """
        self._write = write
        self._moment_seconds = moment_seconds
        self._waiting: list[_Waiting[Item, Done]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, items: Sequence[Item]) -> list[Done]:
        """Write items; a result for each, in order, once they are committed.

        Who is cancelled, because its client has gone, may be served all the same: the others' transaction goes on.

        Raises:
            BackendError: the store failed; nothing of the shared transaction is stored. Any other error is that of
                these items alone.
        """
        answer: asyncio.Future[list[Done]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(items, answer))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await answer

    async def close(self) -> None:
        """Break off what is being written and not waited for any more; it is undone or done, and nothing in between."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write_all(self) -> None:
        """Go on until nobody waits."""
        try:
            while self._waiting:
                group = self._take()
                await self._write_together(group)
                if len(group) >= SEVERAL:
                    await asyncio.sleep(self._moment_seconds)
        finally:
            self._writing = None

    def _take(self) -> list[_Waiting[Item, Done]]:
        """Take those who waited longest, as many as fit into one transaction, and at least one."""
        size = 0
        for place, one in enumerate(self._waiting):
            size += len(one.items)
            if size > MOST_TOGETHER and place:
                break
        else:
            place = len(self._waiting)
        taken, self._waiting = self._waiting[:place], self._waiting[place:]
        return taken

    async def _write_together(self, group: Sequence[_Waiting[Item, Done]]) -> None:
        items = [item for one in group for item in one.items]
        try:
            results = iter(await self._write(items))
        except BackendError as error:
            for one in group:
                _refuse(one.answer, error)
        except Exception as error:  # noqa: BLE001 - a fault of ours is for those to raise whose items cause it
            if len(group) == 1:
                _refuse(group[0].answer, error)
                return
            for one in group:
                await self._write_together([one])
        else:
            for one in group:
                theirs = [next(results) for _ in one.items]
                if not one.answer.done():
                    one.answer.set_result(theirs)


def _refuse(answer: asyncio.Future[list[Done]], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
