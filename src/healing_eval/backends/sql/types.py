"""How do our values look in a column?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import JSON, DateTime, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from healing_eval.domain.storable import storable

Key = LargeBinary(16)
"""The 16 bytes of a conversation's key, or of a fingerprint."""

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC, to the microsecond; SQLite keeps it as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class FreeText(TypeDecorator[str]):
    """Text somebody else wrote. NUL and lone surrogates, which no database keeps, become U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


def as_json(value: Any) -> msgspec.Raw:
    """Write a value for a JSON column, with all its texts storable."""
    try:
        written = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        written = b"\\u0000"
    if b"\\u0000" in written:
        written = msgspec.json.encode(storable_json(msgspec.to_builtins(value)))
    return msgspec.Raw(written)


def storable_json(value: Any) -> Any:
    """Replace in all texts of a JSON value what no database keeps."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, (list, tuple)):
        return [storable_json(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {storable(str(name)): storable_json(one) for name, one in value.items()}  # pyright: ignore
    return value
