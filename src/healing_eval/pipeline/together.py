"""How do requests that arrive together share one transaction?

A commit costs the same for one conversation as for a hundred. While one transaction is under way, whatever arrives
waits for it, and then goes with the next one all together: nobody waits for a timer, and a lone request waits for
nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from healing_eval.domain.revision import Receipt, Submission
from healing_eval.errors import BackendError
from healing_eval.ports.ledger import Ledger

MOST_TOGETHER = 500
"""Submissions in one shared transaction; a larger request goes alone."""

_Answer = asyncio.Future[list[Receipt]]


class _Waiting(msgspec.Struct, frozen=True):
    submissions: Sequence[Submission]
    answer: _Answer


class SharedAdds:
    """Adds submissions to the ledger, together with those of whoever else is waiting."""

    def __init__(self, ledger: Ledger, lanes: Sequence[str]) -> None:
        self._ledger = ledger
        self._lanes = lanes
        self._waiting: list[_Waiting] = []
        self._adding: asyncio.Task[None] | None = None

    async def add(self, submissions: Sequence[Submission]) -> list[Receipt]:
        """Store submissions; a receipt for each, in order, once they are committed.

        Who is cancelled, because its client has gone, may be stored all the same: the others' transaction goes on.

        Raises:
            BackendError: the ledger failed; nothing of the shared transaction is stored. Any other error is that of
                these submissions alone.
        """
        answer: _Answer = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(submissions, answer))
        if self._adding is None:
            self._adding = asyncio.create_task(self._add_all())
        return await answer

    async def _add_all(self) -> None:
        """Go on until nobody waits."""
        try:
            while self._waiting:
                await self._add_together(self._take())
        finally:
            self._adding = None

    def _take(self) -> list[_Waiting]:
        """Take the requests that waited longest, as many as fit into one transaction, and at least one."""
        size = 0
        for place, one in enumerate(self._waiting):
            size += len(one.submissions)
            if size > MOST_TOGETHER and place:
                break
        else:
            place = len(self._waiting)
        taken, self._waiting = self._waiting[:place], self._waiting[place:]
        return taken

    async def _add_together(self, group: Sequence[_Waiting]) -> None:
        submissions = [submission for one in group for submission in one.submissions]
        try:
            receipts = iter(await self._ledger.add(submissions, self._lanes))
        except BackendError as error:
            for one in group:
                _refuse(one.answer, error)
        except Exception as error:  # noqa: BLE001 - a fault of ours is for those to raise whose submissions cause it
            if len(group) == 1:
                _refuse(group[0].answer, error)
                return
            for one in group:
                await self._add_together([one])
        else:
            for one in group:
                theirs = [next(receipts) for _ in one.submissions]
                if not one.answer.done():
                    one.answer.set_result(theirs)


def _refuse(answer: _Answer, error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
