"""Does the demo come to its end, and say in one line why when it cannot?"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).parent / "healing-eval")


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HEALING_EVAL_")}
    return subprocess.run(
        [COMMAND, *arguments], cwd=folder, env=clean | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def taken_port() -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield str(listening.getsockname()[1])


@pytest.mark.parametrize("verb", [("up",), ("demo", "--exit")], ids=" ".join)
def test_a_port_that_is_taken_is_one_line_with_a_way_out(
    tmp_path: Path, taken_port: str, verb: tuple[str, ...]
) -> None:
    done = run(tmp_path, *verb, "--port", taken_port)

    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot listen on 127.0.0.1, port {taken_port}: Address already in use; ")
    assert "--port" in done.stderr
    assert done.stderr.count("\n") == 1


def test_samples_are_sent_in_batches_that_the_limit_allows(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", "--exit", HEALING_EVAL_LIMITS__BATCH="40")

    assert done.returncode == 0, done.stderr
    assert "300 conversations evaluated" in done.stdout


@pytest.mark.parametrize("limit", ["LIMITS__TURNS", "LIMITS__BODY_BYTES"])
def test_samples_beyond_another_limit_are_refused_with_the_reason(tmp_path: Path, limit: str) -> None:
    done = run(tmp_path, "demo", "--exit", **{f"HEALING_EVAL_{limit}": "2"})

    assert done.returncode == 2
    assert "error: the server refuses the samples: " in done.stderr
    assert "limit" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_with_keys_is_refused_with_the_reason(tmp_path: Path) -> None:
    run(tmp_path, "keys", "create", "--scope", "read", "--data", "data")

    done = run(tmp_path, "demo", "--exit", "--data", "data")

    assert done.returncode == 2
    assert done.stderr.startswith("error: data holds API keys")
    assert "leave out --data" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_store_that_is_none_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "healing-eval.db").write_text("these are my notes")

    done = run(tmp_path, "up", "--port", "0", "--data", str(tmp_path))

    assert done.returncode == 2
    assert f"error: the store {tmp_path}/healing-eval.db is no SQLite database; move it away" in done.stderr


def test_what_people_said_is_kept_from_other_users_of_the_machine(tmp_path: Path) -> None:
    run(tmp_path, "demo", "--exit", "--data", "data")

    files = list((tmp_path / "data").iterdir())
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert files
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
