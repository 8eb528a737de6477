"""When does a budget begin anew?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from healing_eval.backends.redis.address import read_address
from healing_eval.backends.redis.link import Link, Script
from healing_eval.backends.spending.memory import MemorySpending
from healing_eval.backends.spending.redis import PERIOD_OF, RedisSpending
from healing_eval.backends.spending.sqlite import SqliteSpending
from healing_eval.errors import BackendError, ConfigError
from healing_eval.ports.spending import Charge, Spending
from healing_eval.testing.servers.redis import RedisServer


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_with_a_new_day_a_daily_budget_begins_anew_and_a_monthly_one_goes_on(kind: str, tmp_path: Path) -> None:
    now = datetime(2026, 7, 30, 23, 59, 59, tzinfo=UTC)
    file = tmp_path / "spending.db"
    spending: Spending = MemorySpending(lambda: now) if kind == "memory" else SqliteSpending(file, lambda: now)
    charges = [Charge("a", "day", 5, 5), Charge("b", "month", 5, 5)]
    await spending.charge(charges)

    now += timedelta(seconds=1)
    next_day = await spending.charge(charges)
    now += timedelta(days=1)
    next_month = await spending.charge(charges)

    assert [(one.period, one.nanodollars, one.tokens) for one in next_day] == [
        ("2026-07-31", 5, 5),
        ("2026-07", 10, 10),
    ]
    assert [(one.period, one.nanodollars) for one in next_month] == [("2026-08-01", 5), ("2026-08", 5)]


async def test_a_file_outlives_who_wrote_it_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "spending.db"
    await SqliteSpending(file).charge([Charge("b", "month", 5, 6)])

    (spent,) = await SqliteSpending.from_url(f"sqlite:///{file}").charge([Charge("b", "month")])

    assert (spent.nanodollars, spent.tokens) == (5, 6)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_a_file_that_is_none_is_a_failing_server_and_an_address_without_one_a_wrong_setting(
    tmp_path: Path,
) -> None:
    (tmp_path / "spending.db").write_text("this is no database, and long enough to be seen as none" * 9)

    with pytest.raises(BackendError, match=r"spending\.db: file is not a database"):
        await SqliteSpending(tmp_path / "spending.db").charge([Charge("b", "day")])
    with pytest.raises(BackendError):
        await SqliteSpending(tmp_path / "spending.db" / "x").charge([Charge("b", "day")])
    with pytest.raises(ConfigError, match="must name a file"):
        SqliteSpending.from_url("sqlite:///")


@pytest.mark.services
async def test_in_redis_a_count_of_an_earlier_period_is_left_behind(redis_server: RedisServer) -> None:
    spending = RedisSpending.from_url(f"{redis_server.url}?prefix=periods")
    redis_server.ask("HSET periods:{spending}:b period 1999-12-31 nanodollars 77 tokens 77")

    (spent,) = await spending.charge([Charge("b", "day", 1, 2)])
    await spending.close()

    assert spent.period > "2000"
    assert (spent.nanodollars, spent.tokens) == (1, 2)
    assert 86_400 < int(redis_server.ask("TTL periods:{spending}:b").lstrip(":")) <= 2 * 86_400


@pytest.mark.services
async def test_redis_knows_the_calendar(redis_url: str) -> None:
    days = [date(1970, 1, 1) + timedelta(days=37 * n) for n in range(1200)]
    days += [date(2000, 2, 29), date(2024, 2, 29), date(2024, 3, 1), date(2026, 12, 31), date(2027, 1, 1)]
    seconds = [int(datetime(one.year, one.month, one.day, 23, 59, 59, tzinfo=UTC).timestamp()) for one in days]
    script = PERIOD_OF + "local all = {} for i, one in ipairs(ARGV) do all[i] = period_of(one, KEYS[1]) end return all"
    link = Link(read_address(redis_url), seconds=2.0, connections=1)

    told_days = await link.run(Script(script, keys=1), "day", *seconds)
    told_months = await link.run(Script(script, keys=1), "month", *seconds)
    await link.close()

    assert [one.decode() for one in told_days] == [f"{one:%Y-%m-%d}" for one in days]
    assert [one.decode() for one in told_months] == [f"{one:%Y-%m}" for one in days]
