"""The real command in a process of its own, on a free port and a data folder of the test's own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from healing_eval.testing.fake_model import FakeModel


def wait_until(holds: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Return the moment a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class Running:
    """A `healing-eval up` and a client to it."""

    def __init__(self, data: Path, *, largest_file_kib: str | None = None, **environment: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HEALING_EVAL_")}
        command = [str(Path(sys.executable).parent / "healing-eval"), "up", "--port", "0", "--data", str(data)]
        if largest_file_kib is not None:
            command = ["bash", "-c", f'ulimit -f {largest_file_kib}; exec "$@"', "bash", *command]
        self._log = data.parent / f"{data.name}-{time.monotonic_ns()}.log"
        with self._log.open("wb") as said:
            self.process = subprocess.Popen(command, stderr=said, env=clean | environment, cwd=data.parent)
        wait_until(lambda: self.process.poll() is not None or self._listening())
        assert self.process.poll() is None, self.log()
        self.address = self._address() or ""

    def log(self) -> str:
        return self._log.read_text()

    def _address(self) -> str | None:
        found = re.search(r"listens on (http://\S+)", self.log())
        return found.group(1) if found else None

    def _listening(self) -> bool:
        return self._address() is not None

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send JSON and give the status and the decoded answer."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def send(self, *items: dict[str, Any]) -> list[dict[str, Any]]:
        """Send conversations; all must be taken."""
        status, answer = self.call("POST", "/api/v1/conversations", {"conversations": list(items)})
        assert status == 202, answer
        assert not [item for item in answer["items"] if item["status"] == "rejected"], answer
        return answer["items"]

    def evaluated(self, conversation_id: str) -> dict[str, Any]:
        """Wait for the final verdict and give it with the evaluations, those by evaluator."""
        wait_until(lambda: self.verdict(conversation_id) is not None)
        _, answer = self.call("GET", f"/api/v1/evaluations/{conversation_id}")
        answer["by"] = {one["evaluator"]: one for one in answer["evaluations"]}
        assert len(answer["by"]) == len(answer["evaluations"]), "one evaluation per evaluator"
        return answer

    def verdict(self, conversation_id: str) -> dict[str, Any] | None:
        status, answer = self.call("GET", f"/api/v1/evaluations/{conversation_id}")
        verdict = answer.get("verdict") if status == 200 else None
        return verdict if verdict and verdict["final"] else None


KEY = "sk-nobody-may-read-this"


def judged_by(fake: FakeModel, *, retry_for_seconds: float = 1) -> dict[str, str]:
    """The environment in which a fake model judges; what it does not answer is a failure almost at once."""
    return {
        "HEALING_EVAL_JUDGE__MODEL": "openai:fake",
        "HEALING_EVAL_WORKER__RETRY_FOR_SECONDS": f"{retry_for_seconds}",
        "OPENAI_BASE_URL": fake.base_url,
        "OPENAI_API_KEY": KEY,
    }


@pytest.fixture(scope="module")
def fake_model() -> Iterator[FakeModel]:
    """A model's server in a thread, which answers each prompt as the prompt itself tells it to."""
    fake, listening, loop = FakeModel(mode="as_told"), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with fake:
            listening.set()
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert listening.wait(20)
    yield fake
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start the command as often as a test wants, by default on the same data; all are ended afterwards."""
    started: list[Running] = []

    def start_one(data: str = "data", *, largest_file_kib: str | None = None, **environment: str) -> Running:
        started.append(Running(tmp_path / data, largest_file_kib=largest_file_kib, **environment))
        return started[-1]

    yield start_one
    for one in started:
        if one.process.poll() is None:
            one.kill()
