"""What did an evaluator find when it was asked the same before?

Whoever asks makes the keys: digests of everything that the answer depends on, so that two questions with one key have
one answer. What is kept is opaque here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self


class Cache(Protocol):
    """Keeps values by their keys for a while; may forget any of them sooner."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make it from its address; nothing is connected yet.

        Raises:
            ConfigError: the address cannot be one.
        """
        ...

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """Look up many keys at once.

        Args:
            keys: of 16 to 32 bytes each; the same may come twice.

        Returns:
            One value for each key, in the same order; None where nothing is kept or its time is over.

        Raises:
            BackendError: it cannot be found out now.
        """
        ...

    async def put(self, entries: Mapping[bytes, bytes], keep_seconds: float) -> None:
        """Keep many values at once, each in place of what was kept under its key.

        Args:
            entries: value by key; a value has up to 100 kB or so, and what is much larger may not be kept.
            keep_seconds: after which they are forgotten, above 0 and at most a hundred years.

        Raises:
            BackendError: it is not known whether they are kept; some may be.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class Results(Protocol):
    """What an evaluator is given to remember its results with: it never fails, at worst it remembers nothing."""

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """Look up many keys at once: one value for each, in the same order, None where nothing is known."""
        ...

    async def put(self, entries: Mapping[bytes, bytes]) -> None:
        """Remember values by their keys, as far as that can be done now."""
        ...
