from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from healing_eval.backends.cache.sqlite import SqliteCache
from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.backends.sql.cache import SWEPT_AT_ONCE
from healing_eval.errors import BackendError
from healing_eval.testing.contract_cache import key_of

NOW = datetime(2031, 1, 1, tzinfo=UTC)


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    file = tmp_path / "store.db"
    ledger = SqliteLedger.from_url(f"sqlite:///{file}")
    await ledger.open()
    await ledger.close()
    return file


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    file = tmp_path / "notes"
    file.write_bytes(b"these are my notes" * 1000)
    return file


async def put(file: Path, now: datetime, *names: object) -> None:
    """Store for a minute, in a process of its own as it were."""
    cache = SqliteCache(f"sqlite:///{file}", lambda: now)
    await cache.put({key_of(name): b"x" for name in names}, 60)
    await cache.close()


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def rows(file: Path) -> int:
    with sqlite3.connect(file) as connection:
        (count,) = connection.execute("SELECT count(*) FROM cached_results").fetchone()
    connection.close()
    return count


async def test_what_was_stored_is_there_for_the_next_process(file: Path) -> None:
    await put(file, NOW, "a")

    after = SqliteCache(f"sqlite:///{file}", lambda: NOW + timedelta(seconds=59))
    found = await after.get([key_of("a")])
    await after.close()

    assert list(found) == [b"x"]


async def test_what_has_had_its_time_is_removed_a_bounded_number_at_once(file: Path) -> None:
    many = SWEPT_AT_ONCE + 100
    await put(file, NOW, *range(many))
    await put(file, NOW + timedelta(seconds=30), "still")

    await put(file, NOW + timedelta(seconds=60), "new")
    after_one = rows(file)
    await put(file, NOW + timedelta(seconds=60), "newer")

    assert after_one == many + 2 - (SWEPT_AT_ONCE + 1)
    assert rows(file) == len(["still", "new", "newer"])


async def test_while_there_is_more_to_remove_each_storing_goes_on(file: Path) -> None:
    await put(file, NOW, *range(3 * SWEPT_AT_ONCE))
    cache = SqliteCache(f"sqlite:///{file}", lambda: NOW + timedelta(seconds=60))

    for number in range(3):
        await cache.put({key_of(f"new {number}"): b"x"}, 60)
    await cache.close()

    assert rows(file) == 3


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    cache = SqliteCache.from_url(f"sqlite:///{tmp_path}/none.db")

    with pytest.raises(BackendError, match="healing-eval migrate"):
        await cache.get([key_of("a")])
    with pytest.raises(BackendError, match="healing-eval migrate"):
        await cache.put({key_of("a"): b"x"}, 60)

    await cache.close()
    assert files_in(tmp_path) == []


async def test_a_store_from_before_results_were_remembered_is_told_from_a_broken_one(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TABLE cached_results")
    connection.close()
    cache = SqliteCache.from_url(f"sqlite:///{file}")

    with pytest.raises(BackendError, match="healing-eval migrate"):
        await cache.get([key_of("a")])
    with pytest.raises(BackendError, match="healing-eval migrate"):
        await cache.put({key_of("a"): b"x"}, 60)

    await cache.close()


async def test_a_file_that_is_something_else_is_not_taken_for_one(notes: Path) -> None:
    broken = SqliteCache.from_url(f"sqlite:///{notes}")

    with pytest.raises(BackendError, match="not a database"):
        await broken.get([key_of("a")])
    await broken.close()
