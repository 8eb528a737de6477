from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy.dialects import sqlite

from healing_eval.backends.sql.types import FreeText, UtcTime, storable_json
from healing_eval.domain.storable import storable

DIALECT = sqlite.dialect()


def test_a_time_is_stored_and_read_in_utc() -> None:
    local = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=5)))

    stored = UtcTime().process_bind_param(local, DIALECT)

    assert stored == datetime(2026, 1, 31, 7, tzinfo=UTC)
    assert UtcTime().process_result_value(datetime(2026, 1, 31, 7), DIALECT) == stored  # noqa: DTZ001 - as SQLite gives it
    assert UtcTime().process_result_value(local, DIALECT) == stored
    assert UtcTime().process_bind_param(None, DIALECT) is None
    assert UtcTime().process_result_value(None, DIALECT) is None


@pytest.mark.parametrize(
    ("text", "kept"), [("a\0b", "a\ufffdb"), ("\ud800", "\ufffd"), ("会話 \U0001f600", "会話 \U0001f600")]
)
def test_what_no_database_keeps_is_replaced(text: str, kept: str) -> None:
    assert storable(text) == kept
    assert FreeText().process_bind_param(text, DIALECT) == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [({"a\0": ["b\0", ("c", 1)]}, {"a\ufffd": ["b\ufffd", ["c", 1]]}), (None, None), (1.5, 1.5), (True, True)],
)
def test_texts_are_replaced_wherever_they_stand(value: Any, kept: Any) -> None:
    assert storable_json(value) == kept
