"""A store that cannot be used is one clear line at the start, and exit 2."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.process import free_port

pytestmark = pytest.mark.services


SERVE = ("serve", "--workers", "2", "--port", "0")
WORK = ("work", "--processes", "2", "--port", "0")
UP = ("up", "--port", "0")


def started(store_url: str, folder: Path, command: tuple[str, ...] = UP) -> subprocess.CompletedProcess[str]:
    program = "from healing_eval.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *command],
        env={
            "HEALING_EVAL_STORE_URL": store_url,
            "HEALING_EVAL_STORE_WAIT_SECONDS": "0",
            "HEALING_EVAL_STREAM_URL": "memory://" if command == UP else "redis://127.0.0.1:1",
            "PATH": "",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.fixture
def guarded(postgresql: Postgresql) -> Iterator[str]:
    """A database whose user has the password "right" and may make no tables."""
    url = postgresql.new_database()
    postgresql.sql("CREATE ROLE guest LOGIN PASSWORD 'right'")
    yield url.replace("postgres@", "guest:wr0ng@")
    postgresql.sql(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)", "DROP ROLE guest")


@pytest.mark.parametrize(
    ("command", "url", "line"),
    [
        (UP, "postgresql://ann:s3cret@127.0.0.1:{closed}/db", "cannot be reached"),
        (SERVE, "postgresql://ann:s3cret@127.0.0.1:{closed}/db", "cannot be reached"),
        (WORK, "postgresql://ann:s3cret@127.0.0.1:{closed}/db", "cannot be reached"),
        (SERVE, "postgresql://ann:s3cret@no.such.host.invalid/db", "cannot be reached"),
        (UP, "postgresql://ann:s3cret@127.0.0.1:{port}/db", 'role "ann" does not exist'),
        (SERVE, "postgresql://postgres:s3cret@127.0.0.1:{port}/nowhere", 'database "nowhere" does not exist'),
        (WORK, "postgresql://postgres:s3cret@127.0.0.1:{port}/nowhere", 'database "nowhere" does not exist'),
        (WORK, "postgresql://ann:s3cret@127.0.0.1:{port}/db?sslmod=off", "no option 'sslmod'"),
        (SERVE, "postgresql://ann:s3cret@127.0.0.1:{port}", "names no database"),
        (SERVE, "postgres://ann:s3cret@127.0.0.1:{port}/db", "needs one of the schemes postgresql, sqlite"),
    ],
)
def test_a_wrong_address_is_one_line_that_names_the_setting(
    postgresql: Postgresql, tmp_path: Path, command: tuple[str, ...], url: str, line: str
) -> None:
    done = started(url.format(closed=free_port(), port=postgresql.port), tmp_path, command)

    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: setting 'store_url'")
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize("command", [SERVE, WORK])
def test_a_store_of_a_newer_version_is_one_line_and_left_as_it_is(
    postgresql: Postgresql, new_postgresql_url: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    database = new_postgresql_url.rpartition("/")[2]
    made = "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)"
    postgresql.sql(made, "INSERT INTO alembic_version VALUES ('9999')", database=database)

    done = started(new_postgresql_url, tmp_path, command)

    assert done.returncode == 2
    assert done.stderr.startswith("error: setting 'store_url'")
    assert "schema version '9999'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert postgresql.sql("SELECT version_num FROM alembic_version", database=database) == "9999"


@pytest.mark.parametrize("command", [SERVE, WORK])
def test_a_user_who_may_make_no_tables_is_told_so(guarded: str, tmp_path: Path, command: tuple[str, ...]) -> None:
    done = started(guarded, tmp_path, command)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "setting 'store_url', postgresql://guest:***@" in done.stderr
    assert "permission denied for schema public" in done.stderr


def test_a_server_that_hangs_is_told_within_seconds(postgresql: Postgresql, tmp_path: Path) -> None:
    postgresql.pause()
    try:
        done = started(f"{postgresql.url()}?connect_timeout=0.3", tmp_path)
    finally:
        postgresql.resume()

    assert done.returncode == 2
    assert "did not answer in time" in done.stderr
