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


def started(store_url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = "from healing_eval.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, "up", "--port", "0"],
        env={"HEALING_EVAL_STORE_URL": store_url, "PATH": ""},
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
    ("url", "line"),
    [
        ("postgresql://ann:s3cret@127.0.0.1:{closed}/db", "cannot be reached"),
        ("postgresql://ann:s3cret@127.0.0.1:{port}/db", 'role "ann" does not exist'),
        ("postgresql://postgres:s3cret@127.0.0.1:{port}/nowhere", 'database "nowhere" does not exist'),
        ("postgresql://ann:s3cret@127.0.0.1:{port}/db?sslmod=off", "no option 'sslmod'"),
        ("postgresql://ann:s3cret@127.0.0.1:{port}", "names no database"),
        ("postgres://ann:s3cret@127.0.0.1:{port}/db", "needs one of the schemes postgresql, sqlite"),
    ],
)
def test_a_wrong_address_is_one_line_that_names_the_setting(
    postgresql: Postgresql, tmp_path: Path, url: str, line: str
) -> None:
    done = started(url.format(closed=free_port(), port=postgresql.port), tmp_path)

    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: setting 'store_url'")
    assert "s3cret" not in done.stderr


def test_a_user_who_may_make_no_tables_is_told_so(guarded: str, tmp_path: Path) -> None:
    done = started(guarded, tmp_path)

    assert done.returncode == 2
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
