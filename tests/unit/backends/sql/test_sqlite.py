from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.backends.sql import sqlite
from healing_eval.backends.sql.sqlite import sqlite_database
from healing_eval.backends.sql.writes import PROBE_AFTER_SECONDS, LastWrite
from healing_eval.errors import BackendError, ConfigError
from healing_eval.testing.builders import a_conversation, a_submission


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "store.db"])
def test_an_address_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="must name a file"):
        SqliteLedger.from_url(url)


async def test_a_relative_path_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ledger = SqliteLedger.from_url("sqlite:///deep/er/store.db")

    await ledger.open()
    await ledger.close()

    assert (tmp_path / "deep/er/store.db").exists()


async def test_every_commit_reaches_the_disk_and_readers_do_not_wait(tmp_path: Path) -> None:
    database = sqlite_database(f"sqlite:///{tmp_path}/store.db")

    async with database.write() as writing, database.read() as reading:
        found = [(await one.execute(text("PRAGMA synchronous"))).scalar() for one in (writing, reading)]
        mode = (await reading.execute(text("PRAGMA journal_mode"))).scalar()
    await database.close()

    assert (found, mode) == ([2, 2], "wal")


async def test_a_store_locked_by_somebody_else_is_a_backend_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.01)
    ledger = SqliteLedger.from_url(f"sqlite:///{tmp_path}/store.db")
    await ledger.open()
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(BackendError, match="locked"):
        await ledger.add([a_submission()], ["checks"])

    other.execute("ROLLBACK")
    other.close()
    assert (await ledger.add([a_submission()], ["checks"]))[0].status == "accepted"
    await ledger.close()


async def test_a_full_disk_is_a_backend_error_and_costs_nothing_stored(tmp_path: Path) -> None:
    ledger = SqliteLedger.from_url(f"sqlite:///{tmp_path}/store.db")
    await ledger.open()
    await ledger.add([a_submission()], ["checks"])
    async with ledger._database.write() as connection:
        await connection.execute(text("PRAGMA max_page_count = 1"))  # SQLite's own way to run out of space
    large = a_submission(a_conversation("large", metadata={"fill": "x" * 1_000_000}))

    with pytest.raises(BackendError, match="full"):
        await ledger.add([large], ["checks"])

    assert await ledger.count_by_status() == {"pending": 1}
    await ledger.close()


async def test_what_is_no_database_is_a_backend_error(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("this is a letter, and not a database, " * 100)
    ledger = SqliteLedger.from_url(f"sqlite:///{tmp_path}/store.db")

    with pytest.raises(BackendError, match="not a database"):
        await ledger.open()

    await ledger.close()


async def test_a_folder_that_cannot_be_made_is_a_backend_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BackendError, match="cannot be made"):
        await SqliteLedger.from_url(f"sqlite:///{tmp_path}/file/store.db").open()


async def test_an_error_does_not_tell_what_was_to_be_stored(tmp_path: Path) -> None:
    ledger = SqliteLedger.from_url(f"sqlite:///{tmp_path}/store.db")
    await ledger.open()
    async with ledger._database.write() as connection:
        await connection.execute(text("DROP TABLE revisions"))

    with pytest.raises(BackendError) as error:
        await ledger.add([a_submission(a_conversation("my-secret"))], ["checks"])

    assert "my-secret" not in str(error.value) + str(error.value.__cause__)
    await ledger.close()


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_check_tries_a_small_write_and_at_most_one_in_five_seconds(tmp_path: Path) -> None:
    clock = Clock()
    database = sqlite_database(f"sqlite:///{tmp_path}/store.db", LastWrite(clock))
    log = tmp_path / "store.db-wal"
    await database.open()
    opened = log.stat().st_size

    sizes: list[int] = []
    for seconds in (0, PROBE_AFTER_SECONDS, 1, PROBE_AFTER_SECONDS):
        clock.now += seconds
        await database.check()
        sizes.append(log.stat().st_size)
    await database.close()

    assert sizes[0] == opened
    assert sizes[1] > sizes[0]
    assert sizes[2] == sizes[1]
    assert sizes[3] > sizes[2]


async def test_a_store_that_takes_no_writes_fails_its_check_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.01)
    clock = Clock()
    database = sqlite_database(f"sqlite:///{tmp_path}/store.db", LastWrite(clock))
    await database.open()
    await database.check()
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(BackendError, match="locked"):
        async with database.write():
            pass
    with pytest.raises(BackendError, match=r"the last write failed: .*locked"):
        await database.check()
    clock.now += PROBE_AFTER_SECONDS
    with pytest.raises(BackendError, match="locked"):
        await database.check()
    other.execute("ROLLBACK")
    other.close()
    with pytest.raises(BackendError, match="the last write failed"):
        await database.check()
    clock.now += PROBE_AFTER_SECONDS

    await database.check()
    await database.close()


async def test_what_is_no_fault_of_the_database_leaves_it_ready(tmp_path: Path) -> None:
    database = sqlite_database(f"sqlite:///{tmp_path}/store.db")
    await database.open()

    with pytest.raises(ValueError, match="ours"):
        async with database.write():
            raise ValueError("a fault of ours")
    twice = text("INSERT INTO lanes (name, bit) VALUES ('a', 1), ('a', 1)")
    with pytest.raises(BackendError, match="UNIQUE"):
        async with database.write() as connection:
            await connection.execute(twice)

    await database.check()
    await database.close()
