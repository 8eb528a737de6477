"""Who rings within one process? A stream in memory; with the process it is gone, and the sweeper rings again."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Self

import msgspec

from healing_eval.domain.query import Page
from healing_eval.domain.revision import RevisionKey
from healing_eval.ports.stream import DEAD_LETTERS, DeadLetter, Delivery


class _Message(msgspec.Struct):
    revision_key: RevisionKey
    attempts: int = 0
    traceparent: str | None = None
    consumer: str | None = None
    """In whose hands it is or was."""


class _Lane:
    """Messages ready to be read, released ones waiting for their time, and those in somebody's hands."""

    def __init__(self) -> None:
        self.messages: dict[str, _Message] = {}
        """Everything not acknowledged, by id."""
        self.ready: deque[str] = deque()
        self.delayed: list[tuple[float, int, str]] = []
        self.held: OrderedDict[str, float] = OrderedDict()
        """Id to when it was handed out or held, the oldest first."""
        self.dead: OrderedDict[str, DeadLetter] = OrderedDict()
        """Set aside, the oldest first."""
        self.failing: OrderedDict[RevisionKey, float] = OrderedDict()
        """Key to when it failed first, the oldest first."""
        self.changed = asyncio.Event()


class MemoryStream:
    """A `Stream` for one process: `memory://`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, dead_letters: int = DEAD_LETTERS) -> None:
        """Take a clock that never goes back, in seconds, and how many dead letters a lane keeps."""
        self._clock = clock
        self._dead_letters = dead_letters
        self._lanes: dict[str, _Lane] = {}
        self._count = 0

    @classmethod
    def from_url(cls, url: str, *, dead_letters: int = DEAD_LETTERS) -> Self:
        return cls(dead_letters=dead_letters)

    async def open(self, lanes: Sequence[str]) -> None:
        for lane in lanes:
            self._lane(lane)

    async def about(self) -> str:
        return "within this process"

    async def append(self, lane: str, keys: Sequence[RevisionKey], *, traceparent: str | None = None) -> None:
        to = self._lane(lane)
        for key in keys:
            message_id = str(self._next())
            to.messages[message_id] = _Message(key, traceparent=traceparent)
            to.ready.append(message_id)
        to.changed.set()

    async def append_and_read(
        self,
        lane: str,
        keys: Sequence[RevisionKey],
        consumer: str,
        *,
        count: int,
        traceparent: str | None = None,
    ) -> list[Delivery]:
        await self.append(lane, keys, traceparent=traceparent)
        return self._take(self._lane(lane), consumer, count)

    async def read(self, lane: str, consumer: str, *, count: int, wait_seconds: float) -> list[Delivery]:
        of = self._lane(lane)
        deadline = self._clock() + wait_seconds
        while True:
            self._ripen(of)
            taken = self._take(of, consumer, count)
            left = deadline - self._clock()
            if taken or left <= 0:
                return taken
            await self._wait(of, left)

    async def claim(self, lane: str, consumer: str, *, count: int, idle_seconds: float) -> list[Delivery]:
        of = self._lane(lane)
        latest = self._clock() - idle_seconds
        idle: list[str] = []
        for message_id, since in of.held.items():
            if since > latest or len(idle) == count:
                break
            idle.append(message_id)
        return [self._hand_out(of, consumer, message_id) for message_id in idle]

    async def hold(self, lane: str, consumer: str, deliveries: Sequence[Delivery]) -> None:
        of = self._lane(lane)
        for message_id in [one.message_id for one in deliveries]:
            if message_id in of.held and of.messages[message_id].consumer == consumer:
                self._keep(of, message_id)

    async def ack(self, lane: str, deliveries: Sequence[Delivery]) -> None:
        of = self._lane(lane)
        for delivery in deliveries:
            # One that was released meanwhile is done as well: its id stays in a queue and is passed over there.
            of.messages.pop(delivery.message_id, None)
            of.held.pop(delivery.message_id, None)

    async def release(
        self, lane: str, deliveries: Sequence[Delivery], *, delay_seconds: float, tried: bool = True
    ) -> None:
        to = self._lane(lane)
        due = self._clock() + delay_seconds
        for delivery in deliveries:
            message = to.messages.get(delivery.message_id)
            if message is not None and message.attempts == delivery.attempt and delivery.message_id in to.held:
                del to.held[delivery.message_id]
                message.attempts -= 0 if tried else 1
                heapq.heappush(to.delayed, (due, self._next(), delivery.message_id))
        to.changed.set()

    async def failing_for(self, lane: str, keys: Sequence[RevisionKey], *, remember_seconds: float) -> list[float]:
        failing, now = self._lane(lane).failing, self._clock()
        while failing and next(iter(failing.values())) <= now - remember_seconds:
            failing.popitem(last=False)
        return [now - failing.setdefault(key, now) for key in keys]

    async def forget_failing(self, lane: str, keys: Sequence[RevisionKey]) -> None:
        failing = self._lane(lane).failing
        for key in keys:
            failing.pop(key, None)

    async def depth(self, lane: str) -> int:
        return len(self._lane(lane).messages)

    async def bury(self, lane: str, deliveries: Sequence[Delivery], reason: str) -> None:
        of = self._lane(lane)
        for delivery in deliveries:
            if of.messages.pop(delivery.message_id, None) is not None:
                of.held.pop(delivery.message_id, None)
                dead_id = str(self._next())
                of.dead[dead_id] = DeadLetter(
                    dead_id, delivery.revision_key, reason, delivery.attempt, datetime.now(UTC)
                )
        while len(of.dead) > self._dead_letters:
            of.dead.popitem(last=False)

    async def list_dead(self, lane: str, *, limit: int, cursor: str | None = None) -> Page[DeadLetter]:
        after = int(cursor or 0)
        later = (letter for letter in self._lane(lane).dead.values() if int(letter.dead_id) > after)
        items = list(islice(later, limit))
        return Page(items, items[-1].dead_id if len(items) == limit else None)

    async def revive(self, lane: str, dead_ids: Sequence[str]) -> int:
        dead = self._lane(lane).dead
        letters = [dead.pop(dead_id) for dead_id in dict.fromkeys(dead_ids) if dead_id in dead]
        await self.append(lane, [letter.revision_key for letter in letters if letter.revision_key is not None])
        return len(letters)

    async def drop_dead(self, lane: str, dead_ids: Sequence[str]) -> int:
        dead = self._lane(lane).dead
        return sum(dead.pop(dead_id, None) is not None for dead_id in dead_ids)

    async def close(self) -> None:
        self._lanes.clear()

    def _lane(self, name: str) -> _Lane:
        return self._lanes.setdefault(name, _Lane())

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _ripen(self, lane: _Lane) -> None:
        """Make ready what was released and whose time has come."""
        now = self._clock()
        while lane.delayed and lane.delayed[0][0] <= now:
            lane.ready.append(heapq.heappop(lane.delayed)[2])

    def _take(self, lane: _Lane, consumer: str, count: int) -> list[Delivery]:
        taken: list[Delivery] = []
        while lane.ready and len(taken) < count:
            message_id = lane.ready.popleft()
            if message_id in lane.messages:  # else it was acknowledged after it had been released
                taken.append(self._hand_out(lane, consumer, message_id))
        return taken

    def _hand_out(self, lane: _Lane, consumer: str, message_id: str) -> Delivery:
        message = lane.messages[message_id]
        message.attempts += 1
        message.consumer = consumer
        self._keep(lane, message_id)
        return Delivery(message_id, message.revision_key, message.attempts, message.traceparent)

    def _keep(self, lane: _Lane, message_id: str) -> None:
        lane.held.pop(message_id, None)
        lane.held[message_id] = self._clock()

    async def _wait(self, lane: _Lane, seconds: float) -> None:
        """Sleep until something is appended or released, or the next released message is due."""
        if lane.delayed:
            seconds = min(seconds, max(0.0, lane.delayed[0][0] - self._clock()))
        lane.changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await lane.changed.wait()
        except TimeoutError:
            return
