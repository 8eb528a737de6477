"""Who may do what only one may do at a time?

A lease runs out by the server's clock, which its holder cannot see: a holder that was frozen may believe for a moment
that it still holds what another has. So each grant comes with a token that is larger than all before it, and whatever
the holder changes elsewhere can refuse a token smaller than one it has seen.
"""

from __future__ import annotations

from typing import Protocol, Self


class Lease(Protocol):
    """Grants by name, one at a time."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make it from its address; nothing is connected yet.

        Raises:
            ConfigError: the address cannot be one.
        """
        ...

    async def acquire(self, name: str, holder: str, seconds: float) -> int | None:
        """Take a name for some seconds.

        Args:
            name: what is leased.
            holder: who asks. One that asks again, since the answer was lost, keeps its token, and its time begins anew.
            seconds: how long, unless it is renewed.

        Returns:
            The token, larger than every one granted before for this name; None if somebody else holds it.

        Raises:
            BackendError: it cannot be found out now, so the answer is no.
        """
        ...

    async def renew(self, name: str, token: int, seconds: float) -> bool:
        """Let the time begin anew; False if it had run out or somebody else holds the name: stop at once."""
        ...

    async def release(self, name: str, token: int) -> bool:
        """Give a name back; False if it was not held with this token any more."""
        ...

    async def close(self) -> None:
        """Let go of all connections; what is held runs out by itself."""
        ...
