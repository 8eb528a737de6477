"""How do our values travel to PostgreSQL and back, where the driver's own way costs more?

JSON goes through as it is written. A time is a number of microseconds, and looked up where it was met before: all rows
of a revision carry the same, and so do those that were accepted or closed together.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""From when on the server counts."""
_MICROSECOND = timedelta(microseconds=1)
_ENDS = {-(2**63): datetime.min.replace(tzinfo=UTC), 2**63 - 1: datetime.max.replace(tzinfo=UTC)}
"""What the server calls `-infinity` and `infinity`, which is how the driver writes the first and the last moment."""


async def teach_types(connection: Any) -> None:
    """Let a connection of asyncpg's write and read JSON and times our way."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_to_jsonb, decoder=_from_jsonb
    )
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", format="tuple", encoder=_to_microseconds, decoder=_from_microseconds
    )


def _to_jsonb(value: str | msgspec.Raw) -> bytes:
    return b"\x01" + (value.encode() if isinstance(value, str) else bytes(value))


def _from_jsonb(value: bytes) -> Any:
    return msgspec.json.decode(value[1:])


@lru_cache(maxsize=4096)
def _to_microseconds(moment: datetime) -> tuple[int]:
    return ((moment - _EPOCH) // _MICROSECOND,)


@lru_cache(maxsize=4096)
def _from_microseconds(value: tuple[int]) -> datetime:
    return _ENDS.get(value[0]) or _EPOCH + value[0] * _MICROSECOND
