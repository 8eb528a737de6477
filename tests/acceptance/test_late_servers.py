"""`serve` and `work` start before the servers they need: they wait for them, and give up with one line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.process import free_port, wait_until_ready
from healing_eval.testing.servers.redis import RedisServer

pytestmark = pytest.mark.services

COMMAND = str(Path(sys.executable).parent / "healing-eval")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("HEALING_EVAL_")}


class Started:
    """A verb in a process of its own, and what it says on standard error."""

    def __init__(self, folder: Path, command: tuple[str, ...], environment: dict[str, str]) -> None:
        self._log = folder / f"{command[0]}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([COMMAND, *command], env=CLEAN | environment, cwd=folder, stderr=log)

    def lines(self) -> list[str]:
        return self._log.read_text().splitlines()

    def waits(self) -> bool:
        return any("store.unreachable" in line for line in self.lines())


Start = Callable[..., Started]


@pytest.fixture
def own_postgresql(new_postgresql: Callable[..., Postgresql]) -> Postgresql:
    """One that is not started yet."""
    return new_postgresql()


@pytest.fixture
def start(own_postgresql: Postgresql, new_redis: Callable[..., RedisServer], tmp_path: Path) -> Iterator[Start]:
    """Start verbs on servers that are not there yet; what still runs is killed in the end."""
    started: list[Started] = []
    environment = {
        "HEALING_EVAL_STORE_URL": own_postgresql.url(),
        "HEALING_EVAL_STREAM_URL": new_redis().url,
        "HEALING_EVAL_LOG__FORMAT": "json",
    }

    def run(*command: str, wait_seconds: float) -> Started:
        waiting = {"HEALING_EVAL_STORE_WAIT_SECONDS": str(wait_seconds)}
        started.append(Started(tmp_path, command, environment | waiting))
        return started[-1]

    yield run
    for one in started:
        one.process.kill()
        one.process.wait()


def is_ready(port: int) -> bool:
    with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
        return answer.status == 200


def test_who_starts_before_its_servers_waits_for_them(start: Start, own_postgresql: Postgresql) -> None:
    port, health = free_port(), free_port()
    serving = start("serve", "--workers", "2", "--port", str(port), wait_seconds=45)
    working = start("work", "--port", str(health), wait_seconds=45)
    wait_until_ready(lambda: serving.waits() and working.waits(), "the wait", 30)

    own_postgresql.start()
    wait_until_ready(lambda: is_ready(port), "the API", 40)
    wait_until_ready(lambda: is_ready(health), "the worker", 40)
    for one in (serving, working):
        one.process.terminate()

    assert (serving.process.wait(40), working.process.wait(40)) == (0, 0)
    assert any("stream.unreachable" in line for line in serving.lines()), "it is ready without a Redis, and says so"


@pytest.mark.parametrize("command", [("serve", "--workers", "2", "--port", "0"), ("work", "--processes", "2")])
def test_who_has_waited_in_vain_ends_with_one_error_and_nothing_started(
    start: Start, own_postgresql: Postgresql, command: tuple[str, ...]
) -> None:
    started = start(*command, wait_seconds=0.5)

    assert started.process.wait(40) == 2
    *tries, last = started.lines()
    assert last.startswith(f"error: setting 'store_url', postgresql://postgres@127.0.0.1:{own_postgresql.port}/")
    assert "waited for 0.5 s" in last
    assert tries
    assert all("store.unreachable" in line for line in tries), "nothing listens or works before the store is open"


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("work", "--processes", "2")])
def test_who_waits_can_be_stopped(start: Start, command: tuple[str, ...]) -> None:
    started = start(*command, wait_seconds=600)
    wait_until_ready(started.waits, "the wait", 30)

    started.process.terminate()

    assert started.process.wait(20) == 0
