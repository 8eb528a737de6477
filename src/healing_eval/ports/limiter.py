"""When may a model be asked, so that all processes together stay within what its provider allows?

A caller reserves its turn and sleeps until then, so that nobody asks twice for one turn. Turns are spaced evenly (the
generic cell rate algorithm, ITU-T I.371): what is allowed in a minute is not used up in its first second.
"""

from __future__ import annotations

from typing import Protocol, Self

import msgspec

BURST_SECONDS = 0.05
"""How much of what is allowed may come at once after a rest: with it, no second has more than 105 % and one request."""


class RateLimit(msgspec.Struct, frozen=True):
    """What a provider allows; None where it sets no limit."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None


class Need(msgspec.Struct, frozen=True):
    """What one call takes, and what those before took more than they had said."""

    tokens: int
    """Expected, prompt and answer together."""
    extra_requests: int = 0
    """Made since this caller's last reservation without one, such as retries."""
    extra_tokens: int = 0
    """Used since then beyond what was expected; below 0 if it was less."""


class Turn(msgspec.Struct, frozen=True):
    """When a call may be made."""

    granted: bool
    """If not, nothing was reserved, but what was taken before is counted."""
    wait_seconds: float
    """From now; if not granted, what the wait would have been."""


class Limiter(Protocol):
    """Gives out turns by name."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make it from its address; nothing is connected yet.

        Raises:
            ConfigError: the address cannot be one.
        """
        ...

    async def reserve(self, name: str, limit: RateLimit, need: Need, longest_wait_seconds: float) -> Turn:
        """Reserve the next turn, unless that is longer away than the caller may wait.

        Raises:
            BackendError: it cannot be found out now, so nobody may go.
        """
        ...

    async def pause(self, name: str, seconds: float) -> None:
        """Let no turn come before this time is over, since the provider asked for it; those given out are kept.

        Raises:
            BackendError: it could not be written down.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
