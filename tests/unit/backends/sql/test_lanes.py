from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from healing_eval.backends.sql.engine import Database
from healing_eval.backends.sql.lanes import MAX_LANES, LaneBits
from healing_eval.backends.sql.sqlite import sqlite_database
from healing_eval.errors import BackendError


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = sqlite_database(f"sqlite:///{tmp_path}/store.db")
    await opened.open()
    yield opened
    await opened.close()


async def test_the_lanes_everybody_has_keep_their_bits_in_every_store(database: Database) -> None:
    bits = LaneBits(database)

    assert await bits.mask(["checks", "judges", "checks"]) == 3
    assert await bits.names(3) == ("checks", "judges")


async def test_a_new_lane_gets_a_bit_that_everybody_agrees_on(database: Database) -> None:
    here, there = LaneBits(database), LaneBits(database)

    masks = await asyncio.gather(here.mask(["a", "b"]), there.mask(["b", "c"]))

    bits = [await there.find(name) for name in ("a", "b", "c")]
    assert len(set(bits)) == 3
    assert masks == [bits[0] | bits[1], bits[1] | bits[2]]
    assert await here.names(bits[2]) == ("c",)


async def test_a_lane_never_used_has_no_bit(database: Database) -> None:
    assert await LaneBits(database).find("nobody's") == 0


async def test_more_lanes_than_bits_are_refused(database: Database) -> None:
    with pytest.raises(BackendError, match=str(MAX_LANES)):
        await LaneBits(database).mask([f"lane-{number}" for number in range(MAX_LANES + 1)])
