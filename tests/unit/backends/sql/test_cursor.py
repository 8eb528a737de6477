from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.backends.sql.cursor import Cursor, read_cursor, write_cursor
from healing_eval.errors import InvalidInput

VALUES = st.none() | st.floats(0, 1) | st.datetimes(timezones=st.just(UTC))


@given(VALUES, st.binary(min_size=16, max_size=16))
def test_a_cursor_is_read_as_it_was_written(value: float | datetime | None, key: bytes) -> None:
    cursor = Cursor("overall", value, key)

    assert read_cursor(write_cursor(cursor), "overall", float | datetime | None) == cursor


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_cursor(text, "overall", float)


def test_a_value_of_another_kind_is_refused() -> None:
    written = write_cursor(Cursor("overall", datetime(2024, 5, 17, tzinfo=UTC), b"k" * 16))

    with pytest.raises(InvalidInput):
        read_cursor(written, "overall", float | None)
