"""Is this archive correct? It is when a subclass of `ArchiveContract` with a fixture `url` of an empty one is green."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from healing_eval import plugins
from healing_eval.domain.month import Month
from healing_eval.errors import BackendError
from healing_eval.ports.archive import Archive, Part, Row

JANUARY, FEBRUARY = Month(2031, 1), Month(2031, 2)


def a_part(rows: int, *, table: str = "revisions", month: Month = JANUARY, mark: str = "5f0c9a1e") -> Part:
    """Name a part."""
    return Part(month, table, rows, mark)


def some_rows(count: int) -> list[dict[str, Any]]:
    """Make rows with what is hard to keep."""
    common = {
        "body": "'; DROP TABLE ☃ \U0001f600 \n\r\u2028 \"\\",
        "overall": 0.1,
        "scores": [{"n": None}],
        "final": True,
        "accepted_at": datetime(2031, 1, 31, 23, 59, 59, 123456, tzinfo=UTC),
    }
    return [{"revision": number, **common} for number in range(count)]


def as_kept(rows: Sequence[Row]) -> list[Row]:
    """Write times as an archive gives them back."""
    return [{**row, "accepted_at": row["accepted_at"].isoformat().replace("+00:00", "Z")} for row in rows]


async def given(rows: Sequence[Row], error: Exception | None = None) -> AsyncIterator[Row]:
    """Give rows one after the other, and then perhaps fail."""
    for row in rows:
        yield row
    if error is not None:
        raise error


async def never() -> AsyncIterator[Row]:
    """Fail as soon as a row is asked for."""
    raise AssertionError("a row was asked for")
    yield {}


class ArchiveContract:
    """What every archive must do."""

    @pytest.fixture
    async def archive(self, url: str) -> AsyncGenerator[Archive]:
        archive = cast("type[Archive]", plugins.load_for_url(plugins.ARCHIVE, url)).from_url(url)
        yield archive
        await archive.close()

    async def test_rows_come_back_as_they_were_and_in_their_order(self, archive: Archive) -> None:
        rows = some_rows(1000)

        await archive.keep(a_part(1000), given(rows))

        assert [row async for row in archive.rows(a_part(1000))] == as_kept(rows)

    async def test_parts_are_kept_apart_and_listed_in_order(self, archive: Archive) -> None:
        parts = [a_part(2), a_part(2, mark="00000000"), a_part(1, table="issues"), a_part(3, month=FEBRUARY)]
        places = [await archive.keep(part, given(some_rows(part.rows))) for part in parts]

        listed = await archive.parts()

        assert listed == sorted(parts)
        assert len(set(places)) == 4
        assert [len([row async for row in archive.rows(part)]) for part in parts] == [2, 2, 1, 3]

    async def test_an_empty_archive_lists_nothing(self, archive: Archive) -> None:
        assert list(await archive.parts()) == []

    async def test_what_is_kept_is_not_written_again(self, archive: Archive) -> None:
        first = await archive.keep(a_part(3), given(some_rows(3)))

        again = await archive.keep(a_part(3), never())

        assert again == first
        assert [row async for row in archive.rows(a_part(3))] == as_kept(some_rows(3))

    async def test_what_failed_in_the_middle_is_not_kept_and_can_be_kept_later(self, archive: Archive) -> None:
        with pytest.raises(BackendError, match="the store is gone"):
            await archive.keep(a_part(900), given(some_rows(700), BackendError("the store is gone")))
        between = list(await archive.parts())

        await archive.keep(a_part(900), given(some_rows(900)))

        assert between == []
        assert list(await archive.parts()) == [a_part(900)]

    @pytest.mark.parametrize("given_rows", [2, 4])
    async def test_another_number_of_rows_than_was_said_is_refused(self, archive: Archive, given_rows: int) -> None:
        with pytest.raises(BackendError, match=rf"revisions.*2031-01.*{given_rows} rows, not 3"):
            await archive.keep(a_part(3), given(some_rows(given_rows)))

        assert list(await archive.parts()) == []

    async def test_what_is_not_kept_cannot_be_read(self, archive: Archive) -> None:
        with pytest.raises(BackendError):
            [row async for row in archive.rows(a_part(3))]

    async def test_it_is_there_after_opening_again(self, archive: Archive, url: str) -> None:
        await archive.keep(a_part(3), given(some_rows(3)))
        await archive.close()

        again = type(archive).from_url(url)

        assert list(await again.parts()) == [a_part(3)]
        await again.close()
