"""Months have tables of their own: made ahead, looked into only when they can hold something, and dropped."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest

from healing_eval.backends.ledger.postgresql import PostgresqlLedger
from healing_eval.backends.sql.partitions import (
    PARTITIONED,
    Partition,
    detach_month,
    drop_detached,
    list_partitions,
    make_partitions,
    months_from,
)
from healing_eval.backends.sql.postgresql import PostgresqlDatabase
from healing_eval.domain.month import Month
from healing_eval.domain.query import EvaluationQuery
from healing_eval.domain.revision import RevisionKey
from healing_eval.errors import BackendError
from healing_eval.testing.builders import PROJECT, a_conversation, a_submission, an_evaluation, an_issue
from healing_eval.testing.contract_ledger import LANES, close
from healing_eval.testing.contract_retention import MonthClock
from healing_eval.testing.servers.postgresql import Postgresql

pytestmark = pytest.mark.services

JANUARY, FEBRUARY, MARCH, APRIL = (Month(2031, number) for number in range(1, 5))


@pytest.fixture
def clock() -> MonthClock:
    return MonthClock()


@pytest.fixture
async def ledger(new_postgresql_url: str, clock: MonthClock) -> AsyncGenerator[PostgresqlLedger]:
    ledger = PostgresqlLedger(new_postgresql_url, clock)
    await ledger.open()
    yield ledger
    await ledger.close()


@pytest.fixture
async def database(new_postgresql_url: str, ledger: PostgresqlLedger) -> AsyncGenerator[PostgresqlDatabase]:
    assert await ledger.count_by_status() == {}  # the tables are there
    database = PostgresqlDatabase(new_postgresql_url)
    yield database
    await database.close()


def named(url: str) -> str:
    return url.rpartition("/")[2]


async def months_in(database: PostgresqlDatabase) -> list[Month]:
    async with database.look() as connection:
        found = await list_partitions(connection)
    assert sorted(found) == [
        Partition(month, table) for month in sorted({one.month for one in found}) for table in PARTITIONED
    ]
    return sorted({one.month for one in found})


async def accepted(ledger: PostgresqlLedger, name: str, turns: int = 2) -> RevisionKey:
    return (await ledger.add([a_submission(a_conversation(name, turns))], LANES))[0].revision_key


def test_a_year_ends_with_december() -> None:
    assert list(map(str, months_from(datetime(2031, 11, 30, tzinfo=UTC), 2))) == ["2031-11", "2031-12", "2032-01"]


async def test_opening_makes_room_for_this_month_and_two_more(database: PostgresqlDatabase) -> None:
    assert await months_in(database) == [JANUARY, FEBRUARY, MARCH]


async def test_room_is_made_once_however_many_ask_for_it(
    ledger: PostgresqlLedger, database: PostgresqlDatabase, clock: MonthClock
) -> None:
    clock.a_month_later()

    await asyncio.gather(*(ledger.make_room() for _ in range(6)))

    assert await months_in(database) == [JANUARY, FEBRUARY, MARCH, APRIL]


async def test_what_came_before_its_month_had_a_table_is_kept_and_moves_there(
    postgresql: Postgresql,
    new_postgresql_url: str,
    ledger: PostgresqlLedger,
    database: PostgresqlDatabase,
    clock: MonthClock,
) -> None:
    for _ in range(3):
        clock.a_month_later()
    key = await accepted(ledger, "early")
    count = "SELECT (SELECT count(*) FROM revisions_default), (SELECT count(*) FROM revisions)"
    before = postgresql.sql(count, database=named(new_postgresql_url))

    await make_partitions(database, [APRIL])
    await close(ledger, "checks", key, an_evaluation(key.conversation_key))

    assert clock.now.month == 4
    assert (before, postgresql.sql(count, database=named(new_postgresql_url))) == ("1|1", "0|1")
    assert [one.revision_key for one in await ledger.load([key])] == [key]


async def drop(database: PostgresqlDatabase, month: Month) -> None:
    await detach_month(database, month)
    await drop_detached(database, month, *PARTITIONED)


async def test_a_month_is_dropped_and_others_are_left_alone(
    ledger: PostgresqlLedger, database: PostgresqlDatabase, clock: MonthClock
) -> None:
    old = await accepted(ledger, "old")
    clock.a_month_later()
    new = await accepted(ledger, "new")

    await drop(database, JANUARY)

    assert await months_in(database) == [FEBRUARY, MARCH]
    assert [one.revision_key for one in await ledger.load([old, new])] == [new]


async def test_what_is_not_detached_is_not_dropped(database: PostgresqlDatabase) -> None:
    await drop_detached(database, JANUARY, *PARTITIONED)

    assert await months_in(database) == [JANUARY, FEBRUARY, MARCH]


async def test_detaching_goes_on_where_it_was_interrupted(
    postgresql: Postgresql, new_postgresql_url: str, database: PostgresqlDatabase
) -> None:
    postgresql.sql("ALTER TABLE issues DETACH PARTITION issues_2031_01", database=named(new_postgresql_url))

    await drop(database, JANUARY)

    assert await months_in(database) == [FEBRUARY, MARCH]


async def test_a_month_somebody_reads_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, ledger: PostgresqlLedger, database: PostgresqlDatabase
) -> None:
    monkeypatch.setattr("healing_eval.backends.sql.partitions.LOCK_TIMEOUT", "20ms")
    await accepted(ledger, "old")

    async with database.read() as reading:
        await reading.exec_driver_sql("SELECT count(*) FROM evaluations")
        with pytest.raises(BackendError, match="lock timeout"):
            await detach_month(database, JANUARY)
        still = await months_in(database)
    await drop(database, JANUARY)

    assert still == [JANUARY, FEBRUARY, MARCH]
    assert await months_in(database) == [FEBRUARY, MARCH]


async def test_only_the_months_that_can_hold_something_are_looked_into(
    postgresql: Postgresql, new_postgresql_url: str, ledger: PostgresqlLedger, clock: MonthClock
) -> None:
    other = await accepted(ledger, "other")
    await close(ledger, "checks", other, an_evaluation(other.conversation_key))
    clock.a_month_later()
    key = await accepted(ledger, "c-1")
    seen = Seen(postgresql, named(new_postgresql_url))
    watched = PostgresqlLedger(new_postgresql_url, clock)

    await watched.load([key])
    loading = seen.tables()
    await close(watched, "checks", key, an_evaluation(key.conversation_key, issues=[an_issue()]))
    first_closing = seen.tables()
    await close(watched, "judges", key, an_evaluation(key.conversation_key, "judge"))
    second_closing = seen.tables()
    page = await watched.query(PROJECT, EvaluationQuery(evaluated_before=datetime(2031, 2, 27, tzinfo=UTC)))
    asking = seen.tables()
    await accepted(watched, "c-1")
    repeating = seen.tables()
    await watched.close()

    assert loading == {"conversations", "revisions_2031_02"}
    assert first_closing == {"conversations"}  # it knows that there is nothing else yet
    assert second_closing == {"conversations", "verdicts_2031_02", "evaluations_2031_02", "issues_2031_02"}
    assert [one.head.conversation_id for one in page.items] == ["other"]
    assert asking >= {"verdicts_2031_01", "verdicts_2031_02", "evaluations_2031_01"}
    assert not asking & {"verdicts_2031_03", "evaluations_2031_02", "evaluations_2031_03", "issues_2031_03"}
    assert repeating == {"conversations", "revisions_2031_02"}


class Seen:
    """Tells which tables the server has looked into, by the plans it writes to its log."""

    def __init__(self, server: Postgresql, database: str) -> None:
        for setting in ("session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0"):
            server.sql("LOAD 'auto_explain'", f"ALTER DATABASE {database} SET {setting}")
        self._server = server
        self._read = len(server.log())

    def tables(self) -> set[str]:
        log = self._server.log()
        new, self._read = log[self._read :], len(log)
        names = "|".join((*PARTITIONED, "conversations"))
        return set(re.findall(rf"Scan\b.* on ((?:{names})\w*)", new))


async def test_months_begin_when_the_server_says_so(postgresql: Postgresql, new_postgresql_url: str) -> None:
    postgresql.set_clock(named(new_postgresql_url), timedelta(days=100))
    ledger = PostgresqlLedger(new_postgresql_url)
    await ledger.open()

    await accepted(ledger, "c-1")

    month = Month.of(await ledger.now())
    await ledger.close()
    holding = postgresql.sql("SELECT tableoid::regclass FROM revisions", database=named(new_postgresql_url))
    assert holding == Partition(month, "revisions").name
    assert month != Month.of(datetime.now(UTC))
