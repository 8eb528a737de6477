"""What was found before, across processes? A key with a time to live in Redis for each result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Self

from healing_eval.backends.redis.address import Address, read_address
from healing_eval.backends.redis.link import Link

ANSWER_SECONDS = 1.5
"""Less than anybody waits for a result, so that what is logged names the server."""
CONNECTIONS = 8


class RedisCache:
    """A `Cache` for many processes: `redis://`.

    Commands about single keys go out together, instead of one about all of them, which a cluster would refuse.
    """

    def __init__(self, address: Address) -> None:
        """Take an address; connect later."""
        self._prefix = f"{address.prefix}:cache:".encode()
        self._link = Link(address, seconds=ANSWER_SECONDS, connections=CONNECTIONS)

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(read_address(url, setting="cache_url"))

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        if not keys:
            return []
        return await self._link.ask_together([("GET", self._prefix + key) for key in keys])

    async def put(self, entries: Mapping[bytes, bytes], keep_seconds: float) -> None:
        if not entries:
            return
        milliseconds = max(1, math.ceil(1000 * keep_seconds))
        await self._link.ask_together(
            [("SET", self._prefix + key, value, "PX", milliseconds) for key, value in entries.items()]
        )

    async def close(self) -> None:
        await self._link.close()
