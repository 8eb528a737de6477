"""Is the store's file found, looked at, and kept from others?"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from healing_eval.cli.stores import fault_of, opening_store, store_file
from healing_eval.config import Settings
from healing_eval.errors import BackendError, ConfigError


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_file_stands_in_the_data_folder_or_where_the_address_says(tmp_path: Path) -> None:
    assert store_file(Settings(data_dir=tmp_path)) == tmp_path / "healing-eval.db"
    assert store_file(Settings(store_url="sqlite:////elsewhere/x.db")) == Path("/elsewhere/x.db")
    assert store_file(Settings(store_url="postgresql://db/x")) is None


def test_what_is_missing_empty_or_a_database_has_no_fault(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with sqlite3.connect(tmp_path / "real.db") as database:
        database.execute("create table t (x)")
    database.close()

    assert [fault_of(tmp_path / name) for name in ("missing.db", "empty.db", "real.db")] == [None, None, None]


def test_a_folder_in_place_of_the_file_is_a_fault(tmp_path: Path) -> None:
    fault = fault_of(tmp_path)

    assert fault is not None
    assert str(tmp_path) in fault.reason


def test_a_new_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "deep" / "down")

    with opening_store(settings):
        pass

    assert mode_of(settings.data_dir) == 0o700
    assert mode_of(settings.data_dir / "healing-eval.db") == 0o600


def test_the_modes_of_what_exists_are_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "healing-eval.db").touch()
    (tmp_path / "healing-eval.db").chmod(0o640)

    with opening_store(Settings(data_dir=tmp_path)):
        pass

    assert mode_of(tmp_path) == 0o755
    assert mode_of(tmp_path / "healing-eval.db") == 0o640


def test_a_file_that_is_no_store_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "healing-eval.db").write_text("these are my notes")

    with (
        pytest.raises(ConfigError, match="is no SQLite database; move it away"),
        opening_store(Settings(data_dir=tmp_path)),
    ):
        raise AssertionError("it was opened")


def test_a_store_that_does_not_open_is_named(tmp_path: Path) -> None:
    named = rf"the store {tmp_path}/healing-eval\.db does not open: it is locked"

    with pytest.raises(BackendError, match=named), opening_store(Settings(data_dir=tmp_path)):
        raise BackendError("it is locked")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings(data_dir=tmp_path / "file" / "data")

    with pytest.raises(ConfigError, match=r"file/data/healing-eval\.db cannot be read"), opening_store(settings):
        raise AssertionError("it was opened")
