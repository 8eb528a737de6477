"""Which questions wait for a batch, which are in one, and which were answered?

A question is kept under its key until it was answered and for a while after that, so that whoever asks can go away and
come again. It is in one state at a time:

waiting    to be put into the next batch
submitted  in a batch
answered   with its answer
direct     to be asked in the ordinary way, since batches failed or were cancelled

All times are by the store's clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol, Self

import msgspec

KEEP_SECONDS = 7 * 86_400.0
"""How long an answer is kept after it came, and so is the word that something is to be asked in the ordinary way."""
KEEP_BATCHES_SECONDS = 30 * 86_400.0
"""How long it is known of a batch that has ended what became of it."""

State = Literal["waiting", "submitted", "answered", "direct"]
Rest = Literal["failed", "again", "direct"]
"""What becomes of questions that a batch did not answer: counted as failed, put into another one as if nothing had
been, or asked in the ordinary way."""


class Asked(msgspec.Struct, frozen=True):
    """A question as it is kept."""

    key: bytes
    """16 to 32 bytes; equal for equal questions to the same pool."""
    pool: str
    """Who is asked: the model's configured name."""
    request: bytes
    """Opaque."""
    mark: str = ""
    """Opaque; comes back with the answer."""
    about: bytes | None = None
    """Key of the conversation it is asked about; the store deletes it with that, its answer included."""


class Standing(msgspec.Struct, frozen=True):
    """How it stands with a question."""

    state: State
    age_seconds: float = 0.0
    """Since it was asked first."""
    answer: bytes | None = None
    """Opaque; there if it is answered."""
    mark: str = ""
    """Of the question that was kept, which may have been asked before this one."""


class Waiting(msgspec.Struct, frozen=True):
    """What waits for a batch of one pool."""

    pool: str
    questions: int
    oldest_seconds: float


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Questions that go to a provider together."""

    batch_id: str
    """Ours."""
    pool: str
    deployment: str
    provider_id: str | None
    """The provider's. None: it was not handed in yet, as far as we know."""
    questions: int
    created_at: datetime
    age_seconds: float
    cancelled: bool = False
    """Somebody wants it to be stopped."""
    ended: bool = False
    answered: int | None = None
    """How many questions it answered; None until it has ended."""
    reason: str | None = None
    """Why what it did not answer was not answered."""


class BatchWork(Protocol):
    """Keeps questions and batches for all processes, across restarts."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make it from the store's address; nothing is connected yet.

        Raises:
            ConfigError: the address cannot be one.
        """
        ...

    async def ask(self, questions: Sequence[Asked]) -> Sequence[Standing]:
        """Tell how it stands with questions, one standing for each; those not known wait from now on.

        Raises:
            BackendError: it cannot be found out now; some may wait from now on.
        """
        ...

    async def waiting(self) -> Sequence[Waiting]:
        """Tell what waits for a batch, by pool."""
        ...

    async def bundle(
        self, pool: str, deployment: str, batch_id: str, *, most_questions: int, most_bytes: int
    ) -> Batch | None:
        """Put what has waited longest into a new batch; None if nothing waits.

        One question is put into it even if it is larger than `most_bytes`.
        """
        ...

    async def questions_of(self, batch_id: str) -> Sequence[tuple[bytes, bytes]]:
        """Give keys and requests of a batch that were not answered yet."""
        ...

    async def handed_in(self, batch_id: str, provider_id: str) -> bool:
        """Note the provider's id; False if another one is noted already, or the batch has ended."""
        ...

    async def settle(
        self, batch_id: str, answers: Mapping[bytes, bytes], failed: Collection[bytes], *, most_failures: int
    ) -> None:
        """Note answers, and which questions failed, of those that are in this batch; others are not touched.

        What failed waits for another batch, and is asked in the ordinary way once it has failed `most_failures` times.
        """
        ...

    async def end(self, batch_id: str, rest: Rest, reason: str | None, *, most_failures: int) -> Batch | None:
        """Note that a batch has ended, and what becomes of what it did not answer; None if that is noted already."""
        ...

    async def batches(self, *, ended: bool = False, limit: int = 1000) -> Sequence[Batch]:
        """List batches that have not ended, oldest first; with `ended`, all of them, newest first."""
        ...

    async def cancel(self, batch_id: str) -> bool:
        """Note that a batch is to be stopped; False if there is none that has not ended."""
        ...

    async def sweep(self) -> None:
        """Delete what has been kept for long enough."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
