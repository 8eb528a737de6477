"""Whose turn is it, across processes? One script in Redis for each turn, by whose clock all agree."""

from __future__ import annotations

import math
from typing import Self

from healing_eval.backends.redis.address import Address, read_address, tagged
from healing_eval.backends.redis.link import Link, Script
from healing_eval.ports.limiter import BURST_SECONDS, Need, RateLimit, Turn

ANSWER_SECONDS = 2.0
CONNECTIONS = 8
_MICROSECONDS = 1_000_000
_LONGEST_MICROSECONDS = 10**15
"""Some thirty years: for ever, and still a whole number to Lua."""

_NOW_AND_NEXT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local upcoming = redis.call('HMGET', KEYS[1], 'requests', 'tokens')
local function keep(requests, tokens)
  redis.call('HSET', KEYS[1], 'requests', string.format('%.0f', requests), 'tokens', string.format('%.0f', tokens))
  redis.call('PEXPIRE', KEYS[1], math.ceil((math.max(requests, tokens) - now) / 1000) + 1000)
end
"""

RESERVE = Script(
    _NOW_AND_NEXT
    + """
local requests = math.max(now, (tonumber(upcoming[1]) or 0) + ARGV[2])
local tokens = math.max(now, (tonumber(upcoming[2]) or 0) + ARGV[4])
local wait = math.max(0, math.max(requests, tokens) - ARGV[6] - now)
local granted = wait <= tonumber(ARGV[5])
if granted then
  requests = requests + ARGV[1]
  tokens = tokens + ARGV[3]
end
keep(requests, tokens)
return {granted and 1 or 0, string.format('%.0f', wait)}
""",
    keys=1,
)
"""name; all in microseconds: a request, requests made without a turn, tokens needed, tokens used beyond what was said,
longest wait, burst. Whether it is granted, and the wait."""

PAUSE = Script(
    _NOW_AND_NEXT
    + "keep(math.max(tonumber(upcoming[1]) or 0, now + ARGV[1]), math.max(tonumber(upcoming[2]) or 0, now))",
    keys=1,
)
"""name; microseconds, burst included."""


class RedisLimiter:
    """A `Limiter` for many processes: `redis://`."""

    def __init__(self, address: Address) -> None:
        """Take an address; connect later."""
        self._prefix = f"{address.prefix}:limit"
        self._link = Link(address, seconds=ANSWER_SECONDS, connections=CONNECTIONS)

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(read_address(url))

    async def reserve(self, name: str, limit: RateLimit, need: Need, longest_wait_seconds: float) -> Turn:
        a_request, a_token = _spacing(limit.requests_per_minute), _spacing(limit.tokens_per_minute)
        granted, wait = await self._link.run(
            RESERVE,
            tagged(self._prefix, name),
            round(a_request),
            round(need.extra_requests * a_request),
            round(need.tokens * a_token),
            round(need.extra_tokens * a_token),
            _microseconds(longest_wait_seconds),
            _microseconds(BURST_SECONDS),
        )
        return Turn(bool(granted), int(wait) / _MICROSECONDS)

    async def pause(self, name: str, seconds: float) -> None:
        await self._link.run(PAUSE, tagged(self._prefix, name), _microseconds(seconds + BURST_SECONDS))

    async def close(self) -> None:
        await self._link.close()


def _spacing(per_minute: float | None) -> float:
    """Microseconds between two; 0 without a limit."""
    return 60.0 * _MICROSECONDS / per_minute if per_minute else 0.0


def _microseconds(seconds: float) -> int:
    return (
        min(math.ceil(seconds * _MICROSECONDS), _LONGEST_MICROSECONDS) if seconds < math.inf else _LONGEST_MICROSECONDS
    )
