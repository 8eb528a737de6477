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
from bench.chaos.poison import HANGS, installed_in

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

    def run(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{len(running)}.log").open("wb") as log:
            env = CLEAN | settings | environment
            running.append(subprocess.Popen([COMMAND, *arguments], env=env, cwd=tmp_path, stderr=log))
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


def listens(pid: int, port: int) -> bool:
    """Whether a process listens on a port by itself, though others may as well."""
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = {f"socket:[{one[9]}]" for one in sockets if one[1].endswith(f":{port:04X}") and one[3] == "0A"}
    return any(str(file.readlink()) in ours for file in Path(f"/proc/{pid}/fd").iterdir())


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


@pytest.mark.services
def test_a_conversation_on_which_an_evaluator_hangs_is_given_up_and_all_others_are_evaluated(
    start: Start, postgresql: Postgresql, new_postgresql_url: str, tmp_path: Path
) -> None:
    port, health = free_port(), free_port()
    quick = {
        "HEALING_EVAL_WORKER__HUNG_AFTER_SECONDS": "3",
        "HEALING_EVAL_WORKER__REDELIVER_AFTER_SECONDS": "4",
        "HEALING_EVAL_WORKER__MAX_ATTEMPTS": "2",
    }
    start("serve", "--port", str(port))
    working = start(
        *("work", "--processes", "2", "--lanes", "checks", "--port", str(health)),
        **(quick | installed_in(tmp_path / "plug-ins")),
    )
    wait_until_ready(lambda: get(port, "/readyz"), "the API", 30)
    wait_until_ready(lambda: get(health, "/readyz"), "the first worker", 30)
    names = [f"{number}" for number in range(20)]

    assert post(port, *names[:10], f"{HANGS}-1", *names[10:]) == 202

    statuses = "SELECT count(*), status FROM conversations GROUP BY status ORDER BY 1"
    expected = ["1|failed", "20|done"]
    wait_until_ready(lambda: rows(postgresql, new_postgresql_url, statuses).split() == expected, "the end", 90)
    reason = "SELECT conversation_id, failed_because FROM conversations WHERE status = 'failed'"
    assert rows(postgresql, new_postgresql_url, reason).strip() == f"{HANGS}-1|checks: tried 2 times without success"
    hung = [line for line in (tmp_path / "1.log").read_text().splitlines() if '"process.hung"' in line]
    assert len(hung) >= 2
    working.terminate()
    assert working.wait(40) == 0


@pytest.mark.services
def test_a_process_of_the_api_that_does_nothing_any_more_is_replaced(start: Start, tmp_path: Path) -> None:
    port = free_port()
    serving = start("serve", "--workers", "2", "--port", str(port), HEALING_EVAL_WORKER__HUNG_AFTER_SECONDS="3")
    wait_until_ready(lambda: get(port, "/readyz"), "the API", 30)

    def listening() -> list[int]:
        return [child for child in children_of(serving.pid) if listens(child, port)]

    wait_until_ready(lambda: len(listening()) == 2, "both processes", 30)
    frozen, other = listening()

    os.kill(frozen, signal.SIGSTOP)

    def replaced() -> bool:
        now = listening()
        return len(now) == 2 and other in now and frozen not in now

    wait_until_ready(replaced, "another in its place", 30)
    wait_until_ready(lambda: get(port, "/readyz"), "the API", 30)
    assert '"process.hung"' in (tmp_path / "0.log").read_text()
    serving.terminate()
    assert serving.wait(40) == 0


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
