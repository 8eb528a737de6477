from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.backends.sql import sqlite
from healing_eval.backends.sql.sqlite import sqlite_database
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
