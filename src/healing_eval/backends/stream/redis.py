"""Who rings across processes? One Redis stream per lane, read by one consumer group.

What is acknowledged is removed, so Redis holds only what is still to be done. A message given back for later waits in a
sorted set beside its stream, and whoever reads moves it back when it is due. Groups and streams are made when they are
missing, at any command: Redis may have been emptied or restarted in between, and what it lost the sweeper rings again.
An append whose answer was lost may be repeated; the ledger's fence makes the second message harmless.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import msgspec
import structlog

from healing_eval.backends.redis import scripts
from healing_eval.backends.redis.address import Address, read_address, tagged
from healing_eval.backends.redis.capability import Capabilities
from healing_eval.backends.redis.link import Link, Part, Script, ShortCircuit, refused
from healing_eval.backends.redis.messages import (
    BYTES,
    FIELD,
    KEY_BYTES,
    TRACE_BYTES,
    Unreadable,
    delivery_of,
    packed,
    packed_keys,
    packed_with,
    unpacked,
)
from healing_eval.backends.redis.outbox import Outbox
from healing_eval.domain.query import Page
from healing_eval.domain.revision import RevisionKey
from healing_eval.errors import BackendError
from healing_eval.ports.stream import DEAD_LETTERS, DeadLetter, Delivery

log = structlog.get_logger()

T = TypeVar("T")

GROUP = "workers"
AT_ONCE = 1000
"""Messages in one script: Redis serves nobody else meanwhile."""
REMAKES = 3
"""How often a group is made again during one call; one that vanishes more often is somebody's doing."""
APPEND_CONNECTIONS = 16
READ_CONNECTIONS = 64
OTHER_CONNECTIONS = 16


class Patience(msgspec.Struct, frozen=True):
    """How long is waited for what, in seconds."""

    append: float = 0.4
    """For an append: a post is answered within a second, whatever happens here."""
    append_rest: float = 1.0
    """How long appends fail at once after one of them got no answer."""
    answer: float = 2.0
    """For any other answer."""
    block: float = 0.5
    """For new messages in one command; well below `answer`, else an empty lane looks like a dead server. What another
    process gave back for later is at most this much late."""
    consumer: float = 600.0
    """How long a consumer that holds nothing may be silent before it is taken for gone."""


PATIENCE = Patience()


class _Lane:
    """Names of one lane's keys, and what this process knows of it."""

    def __init__(self, prefix: str, name: str) -> None:
        self.name = name
        self.stream = tagged(prefix, name)
        self.delayed = f"{self.stream}:delayed"
        self.dead = f"{self.stream}:dead"
        self.failing = f"{self.stream}:failing"
        self.consumers: set[str] = set()
        """Those of this process."""
        self.outbox: Outbox | None = None
        self.traced_outbox: Outbox | None = None
        """For those with a traceparent, which are longer."""
        self.ripen_at = 0.0
        self.claim_at = 0.0
        self.claim_from: Part = "0-0"
        self.forget_at = 0.0


class RedisStream:
    """A `Stream` for many processes: `redis://`."""

    def __init__(self, address: Address, patience: Patience = PATIENCE, *, dead_letters: int = DEAD_LETTERS) -> None:
        """Take an address, how long to wait for what, and how many dead letters a lane keeps."""
        self._prefix = address.prefix
        self._patience = patience
        self._dead_letters = dead_letters
        self._lanes: dict[str, _Lane] = {}
        self._circuit = ShortCircuit(rest_seconds=patience.append_rest)
        self._appending = Link(address, seconds=patience.append, connections=APPEND_CONNECTIONS)
        self._reading = Link(address, seconds=patience.answer, connections=READ_CONNECTIONS)
        self._link = Link(address, seconds=patience.answer, connections=OTHER_CONNECTIONS)
        self._capabilities = Capabilities(self._link, address.shown)

    @classmethod
    def from_url(cls, url: str, *, dead_letters: int = DEAD_LETTERS) -> Self:
        return cls(read_address(url), dead_letters=dead_letters)

    async def open(self, lanes: Sequence[str]) -> None:
        try:
            await self._capabilities.check()
            for lane in lanes:
                await self._make_group(self._lane(lane))
        except BackendError as error:
            log.warning("stream.unreachable", error=str(error))

    async def about(self) -> str:
        await self._capabilities.check()
        return await self._capabilities.program()

    async def append(self, lane: str, keys: Sequence[RevisionKey], *, traceparent: str | None = None) -> None:
        of = self._lane(lane)
        if of.outbox is None or of.traced_outbox is None:
            of.outbox = Outbox(lambda messages: self._send(of, messages, scripts.APPEND, BYTES))
            size = BYTES + TRACE_BYTES
            of.traced_outbox = Outbox(lambda messages: self._send(of, messages, scripts.APPEND_TRACED, size))
        if keys and traceparent is None:
            await of.outbox.put(packed(keys))
        elif keys and traceparent is not None:
            await of.traced_outbox.put(packed_with(keys, traceparent))

    async def append_and_read(
        self,
        lane: str,
        keys: Sequence[RevisionKey],
        consumer: str,
        *,
        count: int,
        traceparent: str | None = None,
    ) -> list[Delivery]:
        of, trace = self._lane(lane), (traceparent or "").encode("ascii")
        of.consumers.add(consumer)
        taken: list[Delivery] = []
        for some in _portions(keys):
            left = count - len(taken)
            entries = await self._link.run(
                scripts.APPEND_AND_READ, of.stream, GROUP, consumer, left, trace, packed(some)
            )
            taken += await self._readable(of, [(entry_id, fields, 1) for entry_id, fields in entries])
        return taken

    async def read(self, lane: str, consumer: str, *, count: int, wait_seconds: float) -> list[Delivery]:
        of = self._lane(lane)
        of.consumers.add(consumer)
        deadline = time.monotonic() + wait_seconds
        while True:
            await self._ripen(of)
            now = time.monotonic()
            block = min(deadline - now, of.ripen_at - now, self._patience.block)
            taken = await self._grouped(of, lambda: self._read_new(of, consumer, count, block))  # noqa: B023 - awaited here
            if taken or time.monotonic() >= deadline:
                return taken

    async def claim(self, lane: str, consumer: str, *, count: int, idle_seconds: float) -> list[Delivery]:
        of = self._lane(lane)
        of.consumers.add(consumer)
        now = time.monotonic()
        if now < min(of.claim_at, now + idle_seconds / 10):
            return []
        await self._forget_consumers(of)
        start = of.claim_from
        claimed = await self._grouped(of, lambda: self._claim_from(of, consumer, count, idle_seconds))
        if not claimed and start != "0-0" and of.claim_from == "0-0":
            claimed = await self._grouped(of, lambda: self._claim_from(of, consumer, count, idle_seconds))
        if not claimed and of.claim_from == "0-0":
            # Workers ask before every read. Nothing becomes idle much faster than in its own time.
            of.claim_at = now + idle_seconds / 10
        return claimed

    async def hold(self, lane: str, consumer: str, deliveries: Sequence[Delivery]) -> None:
        of = self._lane(lane)
        try:
            for ids in _portions([one.message_id for one in deliveries]):
                await self._link.run(scripts.HOLD, of.stream, GROUP, consumer, *ids)
        except BackendError as error:
            if not _group_is_missing(error):  # else nothing is left that could be held
                raise

    async def ack(self, lane: str, deliveries: Sequence[Delivery]) -> None:
        of = self._lane(lane)
        for ids in _portions([delivery.message_id for delivery in deliveries]):
            await self._remove(of, ids)

    async def release(
        self, lane: str, deliveries: Sequence[Delivery], *, delay_seconds: float, tried: bool = True
    ) -> None:
        of = self._lane(lane)
        delay = math.ceil(1000 * delay_seconds)
        for pairs in _portions(_with_attempts(deliveries)):
            await self._on_group(of, scripts.RELEASE, of.stream, of.delayed, GROUP, delay, int(tried), *pairs)
        of.ripen_at = min(of.ripen_at, time.monotonic() + delay_seconds)

    async def failing_for(self, lane: str, keys: Sequence[RevisionKey], *, remember_seconds: float) -> list[float]:
        of, remember = self._lane(lane), math.ceil(1000 * remember_seconds)
        ages: list[float] = []
        for some in _portions(packed_keys(keys), AT_ONCE * KEY_BYTES):
            found = await self._link.run(scripts.FAILING_FOR, of.failing, remember, some)
            ages += [milliseconds / 1000 for milliseconds in found]
        return ages

    async def forget_failing(self, lane: str, keys: Sequence[RevisionKey]) -> None:
        for some in _portions(keys):
            await self._link.ask("ZREM", self._lane(lane).failing, *(packed_keys([key]) for key in some))

    async def depth(self, lane: str) -> int:
        of = self._lane(lane)
        return await self._link.run(scripts.DEPTH, of.stream, of.delayed)

    async def bury(self, lane: str, deliveries: Sequence[Delivery], reason: str) -> None:
        await self._bury(self._lane(lane), _with_attempts(deliveries), reason)

    async def list_dead(self, lane: str, *, limit: int, cursor: str | None = None) -> Page[DeadLetter]:
        after = f"({cursor}" if cursor else "-"
        found = await self._link.ask("XRANGE", self._lane(lane).dead, after, "+", "COUNT", limit)
        letters = [_letter(dead_id, fields) for dead_id, fields in found]
        return Page(letters, letters[-1].dead_id if len(letters) == limit else None)

    async def revive(self, lane: str, dead_ids: Sequence[str]) -> int:
        of = self._lane(lane)
        return sum(
            [await self._link.run(scripts.REVIVE, of.stream, of.dead, *ids) for ids in _portions(list(dead_ids))]
        )

    async def drop_dead(self, lane: str, dead_ids: Sequence[str]) -> int:
        of = self._lane(lane)
        return sum([await self._link.run(scripts.DROP, of.dead, *ids) for ids in _portions(list(dead_ids))])

    async def close(self) -> None:
        for lane in self._lanes.values():
            for outbox in (lane.outbox, lane.traced_outbox):
                if outbox is not None:
                    await outbox.close()
            if lane.consumers:
                await self._leave(lane)
        for link in (self._appending, self._reading, self._link):
            await link.close()

    def _lane(self, name: str) -> _Lane:
        found = self._lanes.get(name)
        if found is None:
            found = self._lanes[name] = _Lane(self._prefix, name)
        return found

    async def _send(self, lane: _Lane, messages: bytes, script: Script, size: int) -> None:
        for some in _portions(messages, AT_ONCE * size):
            await self._circuit.guard(lambda: self._appending.run(script, lane.stream, some))  # noqa: B023 - awaited here

    async def _make_group(self, lane: _Lane) -> None:
        """Make the lane's stream and group; the group begins with what was appended before there was one."""
        try:
            await self._link.ask("XGROUP", "CREATE", lane.stream, GROUP, "0", "MKSTREAM")
        except BackendError as error:
            if not (refused(error) or "").startswith("BUSYGROUP"):
                raise

    async def _grouped(self, lane: _Lane, act: Callable[[], Awaitable[T]]) -> T:
        """Do something that needs the lane's group; if it has vanished, make it and do it again."""
        for _ in range(REMAKES):
            try:
                return await act()
            except BackendError as error:
                if not _group_is_missing(error):
                    raise
            log.warning("stream.group_vanished", lane=lane.name)
            await self._make_group(lane)
        return await act()

    async def _on_group(self, lane: _Lane, script: Script, *parts: Part) -> Any:
        return await self._grouped(lane, lambda: self._link.run(script, *parts))

    async def _read_new(self, lane: _Lane, consumer: str, count: int, block: float) -> list[Delivery]:
        milliseconds = int(1000 * block)
        waiting = ("BLOCK", milliseconds) if milliseconds > 0 else ()  # 0 would be for ever
        found = await self._reading.ask(
            "XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, *waiting, "STREAMS", lane.stream, ">"
        )
        if not found:
            return []
        return await self._readable(lane, [(entry_id, fields, 1) for entry_id, fields in found[0][1]])

    async def _claim_from(self, lane: _Lane, consumer: str, count: int, idle_seconds: float) -> list[Delivery]:
        idle = math.ceil(1000 * idle_seconds)
        answer = await self._link.run(scripts.CLAIM, lane.stream, GROUP, consumer, idle, lane.claim_from, count)
        lane.claim_from = answer[0].decode()
        return await self._readable(lane, answer[1:])

    async def _readable(self, lane: _Lane, entries: Iterable[tuple[bytes, list[bytes], int]]) -> list[Delivery]:
        """Make deliveries of entries, and bury what is none: it would come back for ever."""
        readable: list[Delivery] = []
        for entry_id, fields, delivered in entries:
            try:
                readable.append(delivery_of(entry_id, fields, delivered))
            except Unreadable as fault:
                await self._bury_unreadable(lane, [entry_id, delivered], str(fault))
        return readable

    async def _bury_unreadable(self, lane: _Lane, pair: Sequence[Part], reason: str) -> None:
        log.error("stream.unreadable_entry", lane=lane.name, reason=reason)
        try:
            await self._bury(lane, pair, reason)
        except BackendError as error:  # as when Redis is full: it is claimed later, and the others go on now
            log.warning("stream.cannot_bury", lane=lane.name, error=str(error))

    async def _bury(self, lane: _Lane, pairs: Sequence[Part], reason: str) -> None:
        for some in _portions(pairs):
            await self._link.run(scripts.BURY, lane.stream, lane.dead, GROUP, self._dead_letters, reason, *some)

    async def _remove(self, lane: _Lane, ids: Sequence[str]) -> None:
        if await self._capabilities.removes_at_once():
            await self._link.ask("XACKDEL", lane.stream, GROUP, "IDS", len(ids), *ids)
        else:
            await self._link.run(scripts.ACK, lane.stream, GROUP, *ids)

    async def _ripen(self, lane: _Lane) -> None:
        """Move back what was given back for later and is due, when there may be some."""
        now = time.monotonic()
        if now < lane.ripen_at:
            return
        lane.ripen_at = now + self._patience.block  # other readers need not look as well
        try:
            due_in = await self._link.run(scripts.RIPEN, lane.stream, lane.delayed, AT_ONCE)
        except BackendError as error:
            if refused(error) is None:
                raise
            log.warning("stream.cannot_ripen", lane=lane.name, error=str(error))  # out of memory: what is due waits
            return
        if due_in >= 0:
            lane.ripen_at = min(lane.ripen_at, now + due_in / 1000)

    async def _forget_consumers(self, lane: _Lane) -> None:
        """Remove consumers that are gone and hold nothing, so that no list of the dead grows for ever."""
        now = time.monotonic()
        if now >= lane.forget_at:
            lane.forget_at = now + self._patience.consumer / 10
            idle = math.ceil(1000 * self._patience.consumer)
            await self._on_group(lane, scripts.FORGET, lane.stream, GROUP, idle)

    async def _leave(self, lane: _Lane) -> None:
        try:
            idle = math.ceil(1000 * self._patience.consumer)
            await self._link.run(scripts.FORGET, lane.stream, GROUP, idle, *lane.consumers)
        except BackendError as error:
            log.debug("stream.left_open", lane=lane.name, error=str(error))  # others will notice in time


def _group_is_missing(error: BackendError) -> bool:
    answer = refused(error) or ""
    # Who waits on a stream while it is removed, or asks for its consumers after that, is told so in other words.
    return answer.startswith(("NOGROUP", "UNBLOCKED", "no such key"))


def _portions(parts: Any, size: int = AT_ONCE) -> Iterable[Any]:
    return (parts[first : first + size] for first in range(0, len(parts), size))


def _with_attempts(deliveries: Sequence[Delivery]) -> list[Part]:
    return [part for one in deliveries for part in (one.message_id, one.attempt)]


def _letter(dead_id: bytes, fields: Sequence[bytes]) -> DeadLetter:
    found = dict(zip(fields[::2], fields[1::2], strict=True))
    message = found.get(FIELD.encode(), b"")
    milliseconds = int(dead_id.partition(b"-")[0])
    return DeadLetter(
        dead_id.decode(),
        unpacked(message)[0] if len(message) == BYTES else None,
        found.get(b"r", b"").decode(errors="replace"),
        int(found.get(b"n", b"0")),
        datetime.fromtimestamp(milliseconds / 1000, UTC),
    )
