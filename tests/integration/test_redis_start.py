"""A Redis that refuses us is one clear line at the start, and exit 2; one that is only not there yet is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from healing_eval.testing.servers.redis import RedisServer

pytestmark = pytest.mark.services

SERVE = ("serve", "--workers", "2", "--port", "0")
WORK = ("work", "--processes", "2", "--port", "0")
UP = ("up", "--port", "0")


@pytest.fixture
def guarded(new_redis: Callable[..., RedisServer]) -> Iterator[RedisServer]:
    """A Redis with the password "right" for users."""
    server = new_redis(aof=None)
    server.start()
    server.ask("CONFIG SET requirepass right")
    yield server
    server.stop()


def started(
    command: tuple[str, ...], store_url: str, stream_url: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    program = "from healing_eval.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *command],
        env={"HEALING_EVAL_STORE_URL": store_url, "HEALING_EVAL_STREAM_URL": stream_url, "PATH": ""},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "url", "line"),
    [
        (SERVE, "redis://127.0.0.1:{port}", "refuses us"),
        (SERVE, "redis://:s3cret@127.0.0.1:{port}", "refuses us"),
        (WORK, "redis://:s3cret@127.0.0.1:{port}", "refuses us"),
        (UP, "redis://ann:s3cret@127.0.0.1:{port}", "refuses us"),
        (SERVE, "redis://:right@127.0.0.1:{port}/99", "DB index is out of range"),
        (WORK, "redis://:right@127.0.0.1:{port}/first", "the database must be a number"),
        (SERVE, "redis://:s3cret@127.0.0.1:{port}?timeout=3", "unknown option 'timeout'"),
        (SERVE, "redis://:s3cret@127.0.0.1:99999", "Port out of range"),
        (WORK, "valkey://:s3cret@127.0.0.1:{port}", "needs one of the schemes memory, redis, rediss"),
    ],
)
def test_a_wrong_address_is_one_line_that_names_the_setting(
    guarded: RedisServer, postgresql_url: str, tmp_path: Path, command: tuple[str, ...], url: str, line: str
) -> None:
    done = started(command, postgresql_url, url.format(port=guarded.port), tmp_path)

    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: setting 'stream_url'")
    assert "s3cret" not in done.stderr
