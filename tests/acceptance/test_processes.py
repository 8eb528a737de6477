"""`serve` and `work`, each in processes of their own, on a real PostgreSQL and a real Redis."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from healing_eval.testing.builders import a_conversation, wire_item
from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.process import free_port, wait_until_ready

COMMAND = str(Path(sys.executable).parent / "healing-eval")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("HEALING_EVAL_")}

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(new_postgresql_url: str, redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start verbs on the servers; what still runs is killed in the end."""
    running: list[subprocess.Popen[bytes]] = []
    settings = {
        "HEALING_EVAL_STORE_URL": new_postgresql_url,
        "HEALING_EVAL_STREAM_URL": redis_url,
        "HEALING_EVAL_WORKER__REDELIVER_AFTER_SECONDS": "2",  # what a killed worker held comes again after this
    }

    def run(*arguments: str) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{len(running)}.log").open("wb") as log:
            running.append(subprocess.Popen([COMMAND, *arguments], env=CLEAN | settings, cwd=tmp_path, stderr=log))
        return running[-1]

    yield run
    for process in running:
        for child in children_of(process.pid):
            os.kill(child, signal.SIGKILL)
        process.kill()
        process.wait()


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def get(port: int, path: str) -> bytes:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read()


def post(port: int, *names: str) -> int:
    items = [wire_item(a_conversation(name)) for name in names]
    body = json.dumps({"conversations": items}).encode()
    request = Request(f"http://127.0.0.1:{port}/api/v1/conversations", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as answer:
        return answer.status


def rows(postgresql: Postgresql, url: str, query: str) -> str:
    return postgresql.sql(query, database=url.rpartition("/")[2])


@pytest.mark.services
def test_many_processes_evaluate_everything_once_though_one_is_killed(
    start: Start, postgresql: Postgresql, new_postgresql_url: str
) -> None:
    port, health = free_port(), free_port()
    serving = start("serve", "--workers", "2", "--port", str(port))
    working = start("work", "--processes", "2", "--lanes", "checks", "--port", str(health))
    wait_until_ready(lambda: get(port, "/readyz"), "the API", 30)
    wait_until_ready(lambda: get(health, "/healthz"), "the first worker", 30)

    for batch in range(10):
        assert post(port, *(f"{batch}-{number}" for number in range(20))) == 202
        if batch == 5:
            os.kill(children_of(working.pid)[0], signal.SIGKILL)
    ended = "SELECT count(*) FROM evaluations WHERE evaluator = 'heuristic'"
    wait_until_ready(lambda: int(rows(postgresql, new_postgresql_url, ended)) >= 200, "the evaluations", 60)
    wait_until_ready(lambda: len(children_of(working.pid)) == 2, "the second worker, again", 30)
    working.terminate()
    serving.terminate()

    assert (working.wait(40), serving.wait(40)) == (0, 0)
    once = "SELECT count(*), count(DISTINCT conversation_key) FROM evaluations GROUP BY evaluator"
    counts = {line.strip() for line in rows(postgresql, new_postgresql_url, once).splitlines() if line.strip()}
    assert counts == {"200|200"}


@pytest.mark.services
def test_children_end_by_themselves_when_their_parent_was_killed(start: Start) -> None:
    health = free_port()
    working = start("work", "--processes", "2", "--port", str(health))
    wait_until_ready(lambda: get(health, "/readyz"), "the first worker", 30)
    children = children_of(working.pid)

    working.kill()
    working.wait()

    assert len(children) == 2
    wait_until_ready(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "the end", 30)


@pytest.mark.parametrize(
    ("verb", "settings", "line"),
    [
        ("serve", {}, "setting 'store_url' is sqlite, which is for one process only"),
        ("work", {"HEALING_EVAL_STORE_URL": "postgresql://x@127.0.0.1:1/x"}, "setting 'stream_url' is memory"),
    ],
)
def test_what_lives_within_one_process_is_refused(
    verb: str, settings: dict[str, str], line: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [COMMAND, verb], env=CLEAN | settings, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert line in done.stderr
    assert "healing-eval up" in done.stderr
    assert done.stderr.count("\n") == 1
