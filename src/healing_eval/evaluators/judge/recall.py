"""Was this asked before, or is it being asked right now?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import msgspec

from healing_eval.evaluators.judge.gathering import Gatherer
from healing_eval.evaluators.judge.prompt import Shown
from healing_eval.evaluators.judge.remembering import Remembered, key_of, pack, unpack
from healing_eval.evaluators.judge.sameness import Form, form_of
from healing_eval.ports.cache import Results

LOOKED_UP_AT_ONCE = 256


class Question(msgspec.Struct, frozen=True):
    """What is asked, but for names that do not matter."""

    key: bytes
    form: Form


class Recall:
    """Results that were found before. What comes at about the same time is looked up in one round trip."""

    def __init__(self, results: Results, asked_as: bytes) -> None:
        """Take where results are, and a digest of what they depend on beside the conversation."""
        self._results = results
        self._asked_as = asked_as
        self._look_up: Gatherer[None, bytes, bytes | None] = Gatherer(
            self._get, most=LOOKED_UP_AT_ONCE, wait_seconds=0.0
        )
        self._store: Gatherer[None, tuple[bytes, bytes], None] = Gatherer(
            self._put, most=LOOKED_UP_AT_ONCE, wait_seconds=0.0
        )
        self._asking: dict[bytes, asyncio.Event] = {}

    def question(self, project: str, shown: Shown) -> Question:
        """Say what is asked about a conversation of a project."""
        form = form_of(line.text for line in shown.lines)
        return Question(key_of(project, self._asked_as, form, shown.window.left_out), form)

    @asynccontextmanager
    async def asking(self, question: Question) -> AsyncGenerator[Remembered | None]:
        """Give what is known; None: whoever gets that finds it out, while others with the same question wait.

        They wait once: if then it is still not known, as after a failure, all of them ask side by side.
        """
        done = asyncio.Event()
        other = self._asking.setdefault(question.key, done)
        if other is not done:
            await other.wait()
        try:
            value = await self._look_up.do(None, question.key)
            yield None if value is None else unpack(value, question.form)
        finally:
            done.set()
            if other is done:
                del self._asking[question.key]

    async def keep(self, question: Question, remembered: Remembered) -> None:
        """Remember what was found out, unless it holds names that others would be told."""
        packed = pack(remembered, question.form)
        if packed is not None:
            await self._store.do(None, (question.key, packed))

    async def _get(self, group: None, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        return await self._results.get(keys)

    async def _put(self, group: None, entries: Sequence[tuple[bytes, bytes]]) -> Sequence[None]:
        await self._results.put(dict(entries))
        return [None] * len(entries)
