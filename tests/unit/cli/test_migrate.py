"""Is the store's schema told, checked and brought up to date?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from click.testing import CliRunner, Result
from sqlalchemy import create_engine

from healing_eval.backends.sql.migrate import HEAD, MIGRATIONS
from healing_eval.cli.main import main

BEFORE = f"{int(HEAD) - 1:04d}"


@pytest.fixture
def migrate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["migrate", "--data", str(tmp_path / "data"), *arguments])

    return call


def at_version(folder: Path, version: str) -> None:
    folder.mkdir()
    engine = create_engine(f"sqlite:///{folder}/healing-eval.db")
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, version)
    engine.dispose()


def test_a_new_store_is_made_once_and_a_check_makes_none(migrate: Any, tmp_path: Path) -> None:
    check = migrate("--check")
    made_by_check = (tmp_path / "data").exists()
    made, again, checked = migrate(), migrate(), migrate("--check")

    assert (check.exit_code, made_by_check) == (1, False)
    assert "healing-eval migrate" in check.stdout
    assert [one.exit_code for one in (made, again, checked)] == [0, 0, 0]
    assert made.stdout == f"the schema was not there, and is now {HEAD}\n"
    assert again.stdout == checked.stdout == f"the schema is {HEAD}, which is up to date\n"


def test_an_older_store_is_told_of_and_brought_up_to_date(migrate: Any, tmp_path: Path) -> None:
    at_version(tmp_path / "data", BEFORE)

    check, done = migrate("--check", "--format", "json"), migrate("--format", "json")

    assert check.exit_code == 1
    assert msgspec.json.decode(check.stdout) == {"before": BEFORE, "after": BEFORE, "wanted": HEAD}
    assert done.exit_code == 0
    assert msgspec.json.decode(done.stdout) == {"before": BEFORE, "after": HEAD, "wanted": HEAD}


def test_the_next_version_will_do(migrate: Any, tmp_path: Path) -> None:
    migrate()
    with closing(sqlite3.connect(tmp_path / "data/healing-eval.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (f"{int(HEAD) + 1:04d}",))

    assert migrate("--check").exit_code == 0


def test_a_store_of_a_much_newer_version_is_refused(migrate: Any, tmp_path: Path) -> None:
    migrate()
    with closing(sqlite3.connect(tmp_path / "data/healing-eval.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    for arguments in ((), ("--check",)):
        result = migrate(*arguments)
        assert result.exit_code == 2
        assert "schema version '9999'" in result.stderr
        assert "newer" in result.stderr
