"""Who rings when there is work?

The store is the truth, the stream only a bell. It delivers at least once: what was read, and neither acknowledged nor
held within the idle time, is handed out again, and a key appended twice is handed out twice. Both are harmless, since
the ledger's fence stores a lane's results once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, Self

import msgspec

from healing_eval.domain.query import Page
from healing_eval.domain.revision import RevisionKey

DEAD_LETTERS = 10_000
"""How many dead letters a lane keeps unless it is told otherwise."""


class Delivery(msgspec.Struct, frozen=True):
    """One message in one consumer's hands."""

    message_id: str
    revision_key: RevisionKey
    attempt: int = 1
    """How often this message has been handed out, this time included."""
    traceparent: str | None = None
    """Names the span in which it was appended, where there is one."""


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that was set aside."""

    dead_id: str
    """Names it on its lane."""
    revision_key: RevisionKey | None
    """None: the entry could not be read, so nobody can be asked to try it again."""
    reason: str
    attempts: int
    """How often it had been handed out."""
    buried_at: datetime


class Stream(Protocol):
    """Keys of revisions on lanes."""

    @classmethod
    def from_url(cls, url: str, *, dead_letters: int = DEAD_LETTERS) -> Self:
        """Make a stream from its address; nothing is connected yet.

        Args:
            url: of the server, or `memory://`.
            dead_letters: how many a lane keeps at most; the oldest are dropped.

        Raises:
            ConfigError: the address cannot be one.
        """
        ...

    async def open(self, lanes: Sequence[str]) -> None:
        """Connect, and make what each lane needs; a server that is down is no error: it may come up later.

        Raises:
            ConfigError: the server answers, but refuses us or cannot do what we need.
        """
        ...

    async def about(self) -> str:
        """Say in a few words what answers: program and version. Nothing is changed.

        Raises:
            ConfigError: the server answers, but refuses us or cannot do what we need.
            BackendError: it does not answer now.
        """
        ...

    async def append(self, lane: str, keys: Sequence[RevisionKey], *, traceparent: str | None = None) -> None:
        """Add keys at the end of a lane; on an error some of them may have been added.

        A `traceparent`, the 55 characters of W3C Trace Context, travels with them until they are done or set aside.

        Raises:
            BackendError: the stream cannot take them now; said within half a second.
        """
        ...

    async def append_and_read(
        self,
        lane: str,
        keys: Sequence[RevisionKey],
        consumer: str,
        *,
        count: int,
        traceparent: str | None = None,
    ) -> list[Delivery]:
        """Do what `append` does, and take up to `count` messages before anybody else can.

        Where no others wait those are the ones just added, so that whoever brings work can go on with it. On an error
        some keys may have been added, and some messages be in the consumer's hands that it was not told of.

        Raises:
            BackendError: the stream cannot take them now.
        """
        ...

    async def read(self, lane: str, consumer: str, *, count: int, wait_seconds: float) -> list[Delivery]:
        """Take up to `count` messages, waiting up to `wait_seconds` for the first; [] if none came.

        What cannot be read as a message is buried, and holds up nobody.
        """
        ...

    async def claim(self, lane: str, consumer: str, *, count: int, idle_seconds: float) -> list[Delivery]:
        """Take over messages of which their consumers have said nothing for `idle_seconds`, and not much longer."""
        ...

    async def hold(self, lane: str, consumer: str, deliveries: Sequence[Delivery]) -> None:
        """Say that a consumer still works on these, so that their idle time begins anew; it counts as no attempt.

        What is not in its hands any more, because another took it over, it is done or the stream lost it, stays as it
        is, and that is no error.

        Raises:
            BackendError: it could not be said now.
        """
        ...

    async def ack(self, lane: str, deliveries: Sequence[Delivery]) -> None:
        """Say that these are done; they are never handed out again."""
        ...

    async def release(
        self, lane: str, deliveries: Sequence[Delivery], *, delay_seconds: float, tried: bool = True
    ) -> None:
        """Give these back, to be handed out again to anybody after `delay_seconds`.

        Unless they were `tried`, this handing out does not count as an attempt. What was handed out to somebody else
        meanwhile stays there.
        """
        ...

    async def failing_for(self, lane: str, keys: Sequence[RevisionKey], *, remember_seconds: float) -> list[float]:
        """Tell for how many seconds each of these has failed in a way that may pass; 0 for the first time.

        So whoever takes over from another process goes on counting. Each first time is forgotten `remember_seconds`
        later, and as soon as the stream loses what it holds.

        Raises:
            BackendError: it cannot be found out now.
        """
        ...

    async def forget_failing(self, lane: str, keys: Sequence[RevisionKey]) -> None:
        """Forget when these failed first, since they are settled; what never failed may be among them.

        Raises:
            BackendError: it could not be done now; they are forgotten in their time.
        """
        ...

    async def depth(self, lane: str) -> int:
        """Count the messages not yet acknowledged; dead letters are no messages."""
        ...

    async def bury(self, lane: str, deliveries: Sequence[Delivery], reason: str) -> None:
        """Set these aside with the reason; they are not handed out again unless somebody revives them."""
        ...

    async def list_dead(self, lane: str, *, limit: int, cursor: str | None = None) -> Page[DeadLetter]:
        """List dead letters, oldest first."""
        ...

    async def revive(self, lane: str, dead_ids: Sequence[str]) -> int:
        """Append dead letters to their lane again, as if never tried, and tell how many.

        Those that could not be read stay, and ids that do not exist are passed over.
        """
        ...

    async def drop_dead(self, lane: str, dead_ids: Sequence[str]) -> int:
        """Remove dead letters for good, and tell how many."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
