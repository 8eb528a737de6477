"""Conversation in, verdict out, over HTTP; and what happens when the process dies."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from tests.acceptance.conftest import Running, judged_by, wait_until

from healing_eval.testing.fake_model import FakeModel

Start = Callable[..., Running]


def conversation(name: str, *, reply: str = "It leaves at 10:15 from gate 4.") -> dict[str, Any]:
    return {
        "conversation_id": name,
        "agent_version": "v1",
        "turns": [
            {"turn_id": 1, "role": "user", "content": f"When does flight {name} leave?"},
            {"turn_id": 2, "role": "assistant", "content": reply},
        ],
    }


def test_a_conversation_that_was_accepted_gets_a_verdict(start: Start) -> None:
    running = start()

    status, answer = running.call("POST", "/api/v1/conversations", {"conversations": [conversation("a/b c")]})
    wait_until(lambda: running.verdict("a%2Fb%20c") is not None)

    assert status == 202
    assert answer["items"][0]["status"] == "accepted"
    verdict = running.verdict("a%2Fb%20c")
    assert verdict is not None
    assert verdict["outcome"] == "pass"
    assert {"evaluator": "judge", "reason": "not measured: no model configured"} in verdict["missing"]


def test_killing_it_at_any_moment_loses_nothing_accepted(start: Start) -> None:
    accepted: list[str] = []
    running = start()

    for round_number in range(3):
        sender = threading.Thread(target=send_until_it_dies, args=(running, round_number, accepted))
        sender.start()
        wait_until(partial(has_grown, accepted, len(accepted) + 60))
        running.kill()
        sender.join(timeout=20)
        running = start()

    assert len(accepted) >= 180
    wait_until(lambda: all_done(running), seconds=30)
    for name in accepted:
        assert running.verdict(name) is not None, name


def has_grown(accepted: list[str], to: int) -> bool:
    return len(accepted) >= to


def send_until_it_dies(running: Running, round_number: int, accepted: list[str]) -> None:
    for number in range(100_000):
        batch = [conversation(f"c{round_number}-{number}-{place}") for place in range(10)]
        try:
            status, answer = running.call("POST", "/api/v1/conversations", {"conversations": batch})
        except (URLError, OSError):
            return
        assert status == 202
        accepted.extend(item["conversation_id"] for item in answer["items"])


def all_done(running: Running) -> bool:
    status, answer = running.call("GET", "/api/v1/conversations?status=pending&status=evaluating&limit=1")
    assert status == 200
    return answer["items"] == []


def test_a_termination_signal_ends_it_cleanly(start: Start) -> None:
    running = start()
    running.call("POST", "/api/v1/conversations", {"conversations": [conversation("last")]})

    exit_code = running.terminate()

    assert exit_code == 0
    again = start()
    wait_until(lambda: again.verdict("last") is not None)


def test_a_second_one_on_the_same_folder_is_refused_in_one_line(start: Start, tmp_path: Path) -> None:
    first = start()

    second = subprocess.run(
        [str(Path(sys.executable).parent / "healing-eval"), "up", "--port", "0", "--data", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert second.returncode == 2
    (line,) = second.stderr.splitlines()
    assert str(tmp_path / "data") in line
    assert f"process {first.process.pid}" in line
    assert first.call("GET", "/readyz")[0] == 200


def test_a_killed_one_leaves_its_folder_to_the_next(start: Start) -> None:
    start().kill()

    assert start().call("GET", "/readyz")[0] == 200


def test_it_refuses_to_listen_elsewhere_than_on_loopback_without_a_key(start: Start) -> None:
    with pytest.raises(AssertionError, match="keys create"):
        start(HEALING_EVAL_HOST="0.0.0.0")


def test_starting_says_one_screen_of_useful_lines_and_no_warning(start: Start) -> None:
    said = start().log()

    assert "warning" not in said.lower()
    assert len(said.splitlines()) <= 12
    assert "judge     not measured: no model configured" in said


@pytest.fixture
def model_down(fake_model: FakeModel) -> Iterator[FakeModel]:
    before, fake_model.mode = fake_model.mode, "503"
    yield fake_model
    fake_model.mode = before


def test_an_outage_of_the_model_ends_with_its_verdict_even_after_a_kill(start: Start, model_down: FakeModel) -> None:
    running = start(**judged_by(model_down, retry_for_seconds=60))
    running.send(conversation("c-1"))
    wait_until(lambda: status_of(running, "c-1") == "evaluating")
    asked = model_down.requests
    wait_until(lambda: model_down.requests > asked + 4)

    running.kill()
    again = start(**judged_by(model_down, retry_for_seconds=60))
    model_down.mode = "ok"

    evaluated = again.evaluated("c-1")
    assert evaluated["by"]["judge"]["result"]["status"] == "measured"
    assert "judge" not in {one["evaluator"] for one in evaluated["verdict"]["missing"]}


def test_a_model_that_stays_down_is_a_failure_that_is_said(start: Start, model_down: FakeModel) -> None:
    running = start(**judged_by(model_down))
    running.send(conversation("c-1"))

    evaluated = running.evaluated("c-1")

    assert evaluated["conversation"]["status"] == "done"
    assert evaluated["by"]["judge"]["result"]["kind"] == "ModelUnavailable"
    assert evaluated["by"]["heuristic"]["result"]["status"] == "measured"


def status_of(running: Running, name: str) -> str:
    return running.call("GET", f"/api/v1/conversations/{name}")[1]["conversation"]["status"]


def test_it_is_not_ready_while_nothing_can_be_written(start: Start) -> None:
    running, numbers = start(largest_file_kib="3000"), count()
    ready, _ = running.call("GET", "/readyz")

    wait_until(lambda: not takes_a_conversation(running, next(numbers)))

    assert ready == 200
    assert running.call("GET", "/readyz")[0] == 503
    assert running.call("GET", "/healthz")[0] == 200


def takes_a_conversation(running: Running, number: int) -> bool:
    batch = [conversation(f"{number}-{place}", reply="yes " * 500) for place in range(100)]
    return running.call("POST", "/api/v1/conversations", {"conversations": batch})[0] == 202
