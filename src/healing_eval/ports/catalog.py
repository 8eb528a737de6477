"""Who keeps what belongs to no single conversation: projects and API keys?"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol, Self

import msgspec

Scope = Literal["ingest", "read", "review", "admin"]
SCOPES: tuple[Scope, ...] = ("ingest", "read", "review", "admin")


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is stored: the secret itself is known to its owner only."""

    key_id: str
    """Public part, shown in lists."""
    secret_hash: bytes
    """BLAKE2b-256 of the whole key text; keys are 256 random bits, so no slow hash is needed."""
    project: str
    scopes: tuple[Scope, ...]
    name: str = ""
    created_at: datetime
    revoked_at: datetime | None = None


class Catalog(Protocol):
    """The one place for shared, slowly changing things."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a catalog from its address; nothing is connected yet."""
        ...

    async def open(self) -> None:
        """Connect and bring the schema up to date."""
        ...

    async def add_key(self, key: ApiKey) -> None:
        """Store a new key."""
        ...

    async def find_key(self, key_id: str) -> ApiKey | None:
        """Find a key by its public part, revoked ones included."""
        ...

    async def list_keys(self) -> list[ApiKey]:
        """List all keys, oldest first."""
        ...

    async def revoke_key(self, key_id: str, at: datetime) -> None:
        """Make a key useless.

        Raises:
            NotFound: there is no such key.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
