"""Who may, across processes? A name with a time to live in Redis, whose clock is the only one that counts."""

from __future__ import annotations

import math
from typing import Self

from healing_eval.backends.redis.address import Address, read_address, tagged
from healing_eval.backends.redis.link import Link, Script

ANSWER_SECONDS = 2.0
CONNECTIONS = 4

ACQUIRE = Script(
    """
local grant = redis.call('GET', KEYS[1])
if grant then
  local space = string.find(grant, ' ', 1, true)
  if string.sub(grant, space + 1) ~= ARGV[1] then return false end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return string.sub(grant, 1, space - 1)
end
local time = redis.call('TIME')
local token = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if token <= last then token = last + 1 end
local text = string.format('%.0f', token)
redis.call('SET', KEYS[2], text)
redis.call('SET', KEYS[1], text .. ' ' .. ARGV[1], 'PX', ARGV[2])
return text
""",
    keys=2,
)
"""grant, last token; holder, milliseconds. The token, or nothing.

Tokens follow the clock, so that they go on growing after Redis was emptied; the last one is kept for when the clock
goes back.
"""

_HELD = """
local grant = redis.call('GET', KEYS[1])
if not grant or string.sub(grant, 1, string.len(ARGV[1]) + 1) ~= ARGV[1] .. ' ' then return 0 end
"""

RENEW = Script(_HELD + "return redis.call('PEXPIRE', KEYS[1], ARGV[2])", keys=1)
"""grant; token, milliseconds."""

RELEASE = Script(_HELD + "return redis.call('DEL', KEYS[1])", keys=1)
"""grant; token."""


class RedisLease:
    """A `Lease` for many processes: `redis://`."""

    def __init__(self, address: Address) -> None:
        """Take an address; connect later."""
        self._prefix = f"{address.prefix}:lease"
        self._link = Link(address, seconds=ANSWER_SECONDS, connections=CONNECTIONS)

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(read_address(url))

    async def acquire(self, name: str, holder: str, seconds: float) -> int | None:
        grant = self._grant(name)
        token = await self._link.run(ACQUIRE, grant, f"{grant}:last", holder, _milliseconds(seconds))
        return None if token is None else int(token)

    async def renew(self, name: str, token: int, seconds: float) -> bool:
        return bool(await self._link.run(RENEW, self._grant(name), token, _milliseconds(seconds)))

    async def release(self, name: str, token: int) -> bool:
        return bool(await self._link.run(RELEASE, self._grant(name), token))

    async def close(self) -> None:
        await self._link.close()

    def _grant(self, name: str) -> str:
        return tagged(self._prefix, name)


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(1000 * seconds))
