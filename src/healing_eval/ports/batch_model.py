"""How is a provider asked many questions at once, for less, by whoever has time?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Protocol, Self

import msgspec

from healing_eval.errors import ModelError
from healing_eval.ports.chat_model import ChatAnswer, ChatRequest


class BatchQuestion(msgspec.Struct, frozen=True):
    """One question of a batch."""

    name: str
    """By which its answer is found again: 1 to 64 letters, digits, `_` or `-`, once in a batch."""
    request: ChatRequest


class BatchState(msgspec.Struct, frozen=True):
    """How far the provider is with a batch."""

    ended: bool
    """Whether nothing more is to come; what it has no answer for then is never answered."""
    reason: str | None = None
    """Why all of it failed, in the provider's words. None: it did not, or that is not known."""
    too_much: bool = False
    """It failed since the provider had too much of ours waiting; the same may do later."""


class BatchAnswer(msgspec.Struct, frozen=True):
    """What came of one question."""

    name: str
    result: ChatAnswer | ModelError
    """The answer, or why there is none."""


class Sought(msgspec.Struct, frozen=True):
    """A batch of which we do not know whether the provider has it."""

    label: str
    """Under which it was handed in."""
    names: frozenset[str]
    """Of its questions; those that were deleted since are not among them."""
    questions: int
    """How many it had at most."""
    made_at: datetime
    """By the store's clock; it was handed in after that, if it was."""
    others: frozenset[str] = frozenset()
    """Ids of batches that are known to be other ones."""


class Trace(msgspec.Struct, frozen=True):
    """What a provider shows of a batch that is looked for."""

    batch_id: str | None = None
    """By which the provider knows it; None: it does not have it, as far as can be told now."""
    may_turn_up: bool = False
    """Whether it may yet be one of those that the provider shows nothing of before they have ended."""


class BatchModel(Protocol):
    """A configured model, asked in batches.

    `address_variable` and `key_variable` are as in `ChatModel`. A client asks once and has no patience of its own.
    """

    name: str
    """`provider:model`, as configured."""
    base_url: str | None
    """The server that is asked, as in `ChatModel`."""
    own_address: ClassVar[str]
    """Where the provider itself takes batches; who else speaks its language mostly takes none."""
    most_questions: int
    """How many questions one batch may hold."""
    most_bytes: int
    """How much they may be together, as the requests are written."""

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        """Build a client for `model`, reading keys and addresses by the names the provider's own users know.

        Raises:
            ConfigError: the key or address is missing or malformed.
        """
        ...

    async def submit(self, label: str, questions: Sequence[BatchQuestion]) -> str:
        """Hand in a batch, and tell by which id the provider knows it.

        Args:
            label: ours, kept by the provider if it keeps such.
            questions: at least one.

        Raises:
            ModelUnavailable: it timed out, throttled us or is down; the batch may have been taken all the same.
            NotAdmitted: the provider takes nothing from us here.
            ModelRefused: the provider takes no such batch.
            UnreadableVerdict: what came back is no answer to this.
        """
        ...

    async def find(self, sought: Sought) -> Trace:
        """Look for a batch that may have been handed in, among those of the last time.

        Raises:
            ModelError: as `submit`.
        """
        ...

    async def state(self, batch_id: str) -> BatchState:
        """Ask how far the provider is.

        Raises:
            ModelError: as `submit`.
        """
        ...

    def answers(self, batch_id: str) -> AsyncGenerator[BatchAnswer]:
        """Give what came of each question of a batch that has ended, in any order.

        What cannot be read is left out. A provider may name questions that nobody asked, and one of them twice.

        Raises:
            ModelError: as `submit`; what was given before is good.
        """
        ...

    async def cancel(self, batch_id: str) -> None:
        """Have the provider stop; what it has answered by then is kept and paid for.

        Raises:
            ModelError: as `submit`.
        """
        ...

    async def discard(self, batch_id: str) -> None:
        """Have the provider forget questions and answers of a batch that has ended.

        Raises:
            ModelError: as `submit`.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
