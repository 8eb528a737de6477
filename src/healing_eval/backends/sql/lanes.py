"""Which bit of `outstanding` is which lane?

The table `lanes` is the mapping; a lane gets the next free bit with its first use and keeps it. `checks` is 1 and
`judges` 2 in every store. On a sharded store each shard has a mapping of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select

from healing_eval.backends.sql.engine import Database, is_lost_race
from healing_eval.backends.sql.tables import lanes
from healing_eval.errors import BackendError

MAX_LANES = 62
"""Bits of a signed 64-bit integer, with room to spare."""


class LaneBits:
    """The mapping, remembered: it only ever grows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bits: dict[str, int] = {}

    async def mask(self, names: Sequence[str]) -> int:
        """Give the bits of these lanes, or'ed; new lanes get one.

        Raises:
            BackendError: there are too many lanes.
        """
        if not self._knows(names):
            await self._load()
        while not self._knows(names):
            await self._add([name for name in dict.fromkeys(names) if name not in self._bits])
            await self._load()
        return sum(self._bits[name] for name in set(names))

    async def find(self, name: str) -> int:
        """Give the bit of a lane, 0 if it was never used."""
        if name not in self._bits:
            await self._load()
        return self._bits.get(name, 0)

    async def names(self, mask: int) -> tuple[str, ...]:
        """Name the lanes of a mask, sorted."""
        if mask & ~sum(self._bits.values()):  # another process has added a lane
            await self._load()
        return tuple(sorted(name for name, bit in self._bits.items() if mask & bit))

    def _knows(self, names: Sequence[str]) -> bool:
        return all(name in self._bits for name in names)

    async def _load(self) -> None:
        async with self._database.look() as connection:
            found = await connection.execute(select(lanes.c.name, lanes.c.bit))
            self._bits = {row.name: row.bit for row in found}

    async def _add(self, names: Sequence[str]) -> None:
        used = len(self._bits)
        if used + len(names) > MAX_LANES:
            raise BackendError(f"the store knows {used} lanes already and has room for {MAX_LANES}")
        rows = [{"name": name, "bit": 1 << (used + index)} for index, name in enumerate(names)]
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(lanes), rows)
        except BackendError as error:
            if not is_lost_race(error):  # somebody else was faster: look again
                raise
