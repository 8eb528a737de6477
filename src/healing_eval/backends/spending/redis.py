"""What is spent, across processes? One script in Redis for any number of charges, by whose clock all agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from healing_eval.backends.redis.address import Address, read_address, tagged
from healing_eval.backends.redis.link import Link, Part, Script
from healing_eval.ports.spending import Charge, Spent

ANSWER_SECONDS = 2.0
CONNECTIONS = 2

PERIOD_OF = """
local function period_of(seconds, kind)
  -- The date of a day counted from 1970-01-01, by the calendar whose year begins with March.
  local z = math.floor(seconds / 86400) + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  if kind == 'day' then return string.format('%04d-%02d-%02d', year, month, day) end
  return string.format('%04d-%02d', year, month)
end
"""
"""Source of the arithmetic: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days."""

_CHARGE = (
    PERIOD_OF
    + """
local now = tonumber(redis.call('TIME')[1])
local answers = {}
for i, key in ipairs(KEYS) do
  local kind, nanodollars, tokens, only_in = unpack(ARGV, 4 * i - 3, 4 * i)
  local period = period_of(now, kind)
  if redis.call('HGET', key, 'period') ~= period then
    redis.call('DEL', key)
    redis.call('HSET', key, 'period', period, 'nanodollars', 0, 'tokens', 0)
    redis.call('EXPIRE', key, kind == 'day' and 2 * 86400 or 32 * 86400)
  end
  if only_in == '' or only_in == period then
    if redis.call('HINCRBY', key, 'nanodollars', nanodollars) < 0 then redis.call('HSET', key, 'nanodollars', 0) end
    if redis.call('HINCRBY', key, 'tokens', tokens) < 0 then redis.call('HSET', key, 'tokens', 0) end
  end
end
for i, key in ipairs(KEYS) do answers[i] = redis.call('HMGET', key, 'period', 'nanodollars', 'tokens') end
return answers
"""
)
"""budgets; for each of them day or month, nanodollars, tokens, and the one period they belong to or nothing. For each
the period, nanodollars and tokens."""


class RedisSpending:
    """A `Spending` for many processes: `redis://`."""

    def __init__(self, address: Address) -> None:
        """Take an address; connect later."""
        self._prefix = tagged(address.prefix, "spending")  # one script touches several, so all are in one slot
        self._link = Link(address, seconds=ANSWER_SECONDS, connections=CONNECTIONS)

    @classmethod
    def from_url(cls, url: str) -> Self:
        return cls(read_address(url))

    async def charge(self, charges: Sequence[Charge]) -> Sequence[Spent]:
        if not charges:
            return []
        keys = [f"{self._prefix}:{one.budget}" for one in charges]
        arguments: list[Part] = []
        for one in charges:
            arguments += (one.period, one.nanodollars, one.tokens, one.only_in or "")
        answers = await self._link.run(Script(_CHARGE, keys=len(keys)), *keys, *arguments)
        return [Spent(period.decode(), int(nanodollars), int(tokens)) for period, nanodollars, tokens in answers]

    async def close(self) -> None:
        await self._link.close()
