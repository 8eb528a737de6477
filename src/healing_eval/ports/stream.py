"""Who rings when there is work?

The store is the truth, the stream only a bell. It delivers at least once: what was read and not acknowledged within the
idle time is handed out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import msgspec

from healing_eval.domain.revision import RevisionKey


class Delivery(msgspec.Struct, frozen=True):
    """One message in one consumer's hands."""

    message_id: str
    revision_key: RevisionKey
    attempt: int = 1
    """How often this message has been handed out, this time included."""


class Stream(Protocol):
    """Keys of revisions on lanes."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a stream from its address; nothing is connected yet."""
        ...

    async def open(self, lanes: Sequence[str]) -> None:
        """Connect, and make what each lane needs."""
        ...

    async def append(self, lane: str, keys: Sequence[RevisionKey]) -> None:
        """Add keys at the end of a lane.

        Raises:
            BackendError: the stream cannot take them now.
        """
        ...

    async def read(self, lane: str, consumer: str, *, count: int, wait_seconds: float) -> list[Delivery]:
        """Take up to `count` messages, waiting up to `wait_seconds` for the first; [] if none came."""
        ...

    async def claim(self, lane: str, consumer: str, *, count: int, idle_seconds: float) -> list[Delivery]:
        """Take over messages that others hold unacknowledged for at least `idle_seconds`."""
        ...

    async def ack(self, lane: str, deliveries: Sequence[Delivery]) -> None:
        """Say that these are done; they are never handed out again."""
        ...

    async def release(
        self, lane: str, deliveries: Sequence[Delivery], *, delay_seconds: float, tried: bool = True
    ) -> None:
        """Give these back, to be handed out again to anybody after `delay_seconds`.

        Unless they were `tried`, this handing out does not count as an attempt.
        """
        ...

    async def depth(self, lane: str) -> int:
        """Count the messages not yet acknowledged."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
