from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healing_eval.testing.servers.process import (
    MissingServer,
    Process,
    binary,
    free_port,
    wait_until_ready,
    work_folder,
)


@pytest.fixture
def server() -> Iterator[tuple[Process, int]]:
    port, folder = free_port(), work_folder("test")
    # Without -u it says that it serves only when its buffer is full.
    command = [sys.executable, "-u", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    process = Process(command, folder)
    process.start()
    yield process, port
    process.remove()


def test_a_server_starts_is_reached_and_stops(server: tuple[Process, int]) -> None:
    process, port = server

    wait_until_ready(lambda: f"port {port}" in process.log(), "the server", 10)
    ran = process.runs
    process.stop()

    assert ran
    assert not process.runs


def test_a_killed_server_is_gone_and_can_be_started_again(server: tuple[Process, int]) -> None:
    process, _ = server
    first = process.pid

    process.kill()
    process.start()

    assert process.runs
    assert process.pid != first


def test_a_server_that_is_not_installed_names_its_package() -> None:
    with pytest.raises(MissingServer, match="apt-get install no-such-package"):
        binary("no-such-program", package="no-such-package")


def test_what_never_becomes_ready_says_what_the_last_error_was() -> None:
    started = time.monotonic()

    with pytest.raises(TimeoutError, match=r"the moon was not ready within 0.1 s: ZeroDivisionError"):
        wait_until_ready(lambda: 1 / 0, "the moon", 0.1)

    assert time.monotonic() - started < 5


ENDS_ITS_OWN = """
import signal, subprocess, sys
child = subprocess.Popen(["sleep", "600"])
def end(*_):
    child.kill(); child.wait(); print("ended its own", flush=True); sys.exit()
signal.signal(signal.SIGTERM, end)
print("serves", flush=True)
signal.pause()
"""
STARTS_IT_AND_DIES = """
import os, signal, sys
from pathlib import Path
from healing_eval.testing.servers.process import Process, wait_until_ready
server = Process([sys.executable, "-c", sys.argv[1]], Path(sys.argv[2]), orphan_signal=signal.SIGTERM)
server.start()
wait_until_ready(lambda: "serves" in server.log(), "the server")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_orphan_may_end_its_own_children(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", STARTS_IT_AND_DIES, ENDS_ITS_OWN, str(tmp_path)], check=False)

    assert died.returncode == -signal.SIGKILL
    wait_until_ready(lambda: "ended its own" in (tmp_path / "log").read_text(), "the end of the orphan", 10)
