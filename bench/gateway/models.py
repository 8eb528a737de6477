"""Which models' servers are asked in these benchmarks? Those of our tests, each in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from healing_eval.testing.servers.process import Process, free_port, wait_until_ready, work_folder

JUDGES = ("judge", "coherence_judge", "tool_use_judge")
START_SECONDS = 20.0


class Models:
    """Some servers; a context manager that ends them."""

    def __init__(self, count: int, *, delay_ms: float) -> None:
        self.ports = [free_port() for _ in range(count)]
        self._delay_ms = delay_ms
        self._servers: list[Process] = []

    def __enter__(self) -> Models:
        for port in self.ports:
            command = [sys.executable, "-m", "healing_eval.testing.fake_model", str(port), str(self._delay_ms)]
            server = Process(["env", "-C", Path.cwd(), *command], work_folder("model"))
            server.start()
            self._servers.append(server)
        for place in range(len(self.ports)):
            wait_until_ready(lambda place=place: self.stats(place), "a model's server", START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.stop()
            server.remove()

    def tell(self, place: int, **changes: object) -> None:
        """Change how one of them answers."""
        _ask(self.ports[place], "/control", changes)

    def stats(self, place: int) -> dict[str, int]:
        """Ask one of them what it was asked."""
        return _ask(self.ports[place], "/stats", None)

    def requests(self) -> int:
        """Count what all of them were asked."""
        return sum(self.stats(place)["requests"] for place in range(len(self.ports)))

    def settings(self, places: Sequence[int], *, per_minute: float | None = None) -> dict[str, str]:
        """Make these the deployments of one pool that the judge asks."""
        deployments = {
            f"server-{place}": {
                "model": "openai:fake",
                "pool": "bench",
                "url": f"http://127.0.0.1:{self.ports[place]}/v1",
                **({} if per_minute is None else {"requests_per_minute": per_minute}),
            }
            for place in places
        }
        return {
            "HEALING_EVAL_JUDGE__MODEL": "bench",
            "HEALING_EVAL_DEPLOYMENTS": json.dumps(deployments),
            "OPENAI_API_KEY": "none",
        }


def _ask(port: int, path: str, told: dict[str, Any] | None) -> dict[str, Any]:
    body = None if told is None else json.dumps(told).encode()
    with urlopen(Request(f"http://127.0.0.1:{port}{path}", data=body), timeout=10) as answer:
        return json.loads(answer.read())
