"""Is a model asked no more than its settings allow, by server and command alike, and is nothing lost for that?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.conftest import Running, judged_by

from healing_eval.testing.fake_model import FakeModel

Start = Callable[..., Running]
COMMAND = str(Path(sys.executable).parent / "healing-eval")
TWO_A_SECOND = {"HEALING_EVAL_DEPLOYMENTS": json.dumps({"slow": {"model": "openai:fake", "requests_per_minute": 120}})}
NAMES = ["a", "b", "c", "d", "e"]
SHORTEST_SECONDS = 4 / 2 - 0.1
"""Five calls have four pauses between them; a burst of 50 ms, and timers that are early."""


def conversation(name: str) -> dict[str, Any]:
    turns = [
        {"turn_id": 1, "role": "user", "content": f"When does flight {name} leave?"},
        {"turn_id": 2, "role": "assistant", "content": "It leaves at 10:15 from gate 4."},
    ]
    return {"conversation_id": name, "agent_version": "v1", "turns": turns}


@pytest.mark.parametrize("wait_seconds", ["60", "0"], ids=["waiting in hand", "waiting in the stream"])
def test_the_server_waits_for_its_turns(start: Start, fake_model: FakeModel, wait_seconds: str) -> None:
    patience = {"HEALING_EVAL_JUDGE__WAIT_SECONDS": wait_seconds}
    running, before = start(**judged_by(fake_model), **TWO_A_SECOND, **patience), fake_model.requests
    started = time.monotonic()

    running.send(*map(conversation, NAMES))
    evaluations = [running.evaluated(name)["by"]["judge"] for name in NAMES]

    assert [one["result"]["status"] for one in evaluations] == ["measured"] * 5
    assert time.monotonic() - started >= SHORTEST_SECONDS
    assert fake_model.requests - before == 5


def test_the_command_waits_as_long_as_it_takes(tmp_path: Path, fake_model: FakeModel) -> None:
    log, before, started = tmp_path / "log.jsonl", fake_model.requests, time.monotonic()
    log.write_text("".join(json.dumps(conversation(name)) + "\n" for name in NAMES))
    hurried = {"HEALING_EVAL_JUDGE__WAIT_SECONDS": "0"}

    done = subprocess.run(
        [COMMAND, "evaluate", str(log), "--format", "json"],
        env=os.environ | judged_by(fake_model) | TWO_A_SECOND | hurried,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started >= SHORTEST_SECONDS
    assert fake_model.requests - before == 5


def test_a_limit_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMAND, "evaluate", "-"],
        env=os.environ
        | {"HEALING_EVAL_DEPLOYMENTS": json.dumps({"slow": {"model": "openai:fake", "requests_per_minute": 0}})},
        cwd=tmp_path,
        input=b"",
        capture_output=True,
        check=False,
    )

    assert done.returncode == 2
    assert b"deployments.slow.requests_per_minute" in done.stderr
    assert b"greater than 0" in done.stderr
