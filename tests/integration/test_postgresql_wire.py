"""Do times and JSON arrive at PostgreSQL as what they are, whatever way they go?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import asyncpg
import pytest

from healing_eval.backends.sql.wire import teach_types

pytestmark = pytest.mark.services

MOMENTS = (
    datetime.min.replace(tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(2026, 11, 28, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    datetime.max.replace(tzinfo=UTC),
)


async def _connected(url: str, *, taught: bool) -> asyncpg.Connection:
    connection = await asyncpg.connect(url)
    if taught:
        await teach_types(connection)
    return connection


@pytest.mark.parametrize("ours_writes", [True, False])
async def test_times_are_the_drivers_own(postgresql_url: str, ours_writes: bool) -> None:
    writer = await _connected(postgresql_url, taught=ours_writes)
    reader = await _connected(postgresql_url, taught=not ours_writes)
    await writer.execute("DROP TABLE IF EXISTS moments; CREATE TABLE moments (place integer, moment timestamptz)")

    await writer.copy_records_to_table("moments", records=list(enumerate(MOMENTS)))
    read = [row["moment"] for row in await reader.fetch("SELECT moment FROM moments ORDER BY place")]

    assert read == list(MOMENTS)
    assert {moment.utcoffset() for moment in read} == {timedelta(0)}
    await writer.close()
    await reader.close()


async def test_times_go_in_arrays_and_may_be_missing(postgresql_url: str) -> None:
    connection = await _connected(postgresql_url, taught=True)

    sent = [*MOMENTS, None]
    back = await connection.fetchval("SELECT $1::timestamptz[]", sent)
    nothing = await connection.fetchval("SELECT $1::timestamptz", None)

    assert back == sent
    assert nothing is None
    await connection.close()


async def test_a_time_without_a_zone_is_refused(postgresql_url: str) -> None:
    connection = await _connected(postgresql_url, taught=True)

    with pytest.raises(asyncpg.DataError):
        await connection.fetchval("SELECT $1::timestamptz", datetime(2026, 11, 28))  # noqa: DTZ001 - the very point

    await connection.close()


async def test_json_goes_through_as_it_is_written(postgresql_url: str) -> None:
    connection = await _connected(postgresql_url, taught=True)

    back = await connection.fetchval("SELECT $1::jsonb", '{"name": [1, "ä", null]}')

    assert back == {"name": [1, "ä", None]}
    await connection.close()
