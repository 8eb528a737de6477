"""On what is measured? A durable PostgreSQL, a Redis, `serve`, `work` and a model, each in processes of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.process import Process, free_port, wait_until_ready, work_folder
from healing_eval.testing.servers.redis import RedisServer

COMMAND = Path(sys.executable).parent / "healing-eval"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60.0
LANES = ("checks", "judges")


class Site:
    """All parts of a production site on one machine; a context manager that ends what it started."""

    def __init__(
        self,
        *,
        serve: Sequence[str] = (),
        work: Sequence[str] | None = (),
        model_delay_ms: float | None = None,
        settings: Mapping[str, str] | None = None,
        remembers: bool = False,
    ) -> None:
        """Plan it.

        Args:
            serve: options of `serve`.
            work: options of `work`; None for no workers.
            model_delay_ms: how long the judge's model takes; None for no judge.
            settings: more of the environment.
            remembers: whether results are remembered, in its Redis.
        """
        self.port, self.health = free_port(), free_port()
        self._serve, self._work, self._model_delay_ms = serve, work, model_delay_ms
        self._settings = dict(settings or {})
        self._remembers = remembers

    def __enter__(self) -> Site:
        self.postgresql = Postgresql(durable=True)
        self.redis = RedisServer()
        self._parts: dict[str, Process] = {}
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for part in reversed(self._parts.values()):
            part.stop()
            part.remove()
        for server in (self.redis, self.postgresql):
            server.stop()
            server.remove()

    def _start(self) -> None:
        self.postgresql.start()
        self.redis.start()
        self.store_url = self.postgresql.new_database()
        environment = {
            "HEALING_EVAL_STORE_URL": self.store_url,
            "HEALING_EVAL_STREAM_URL": self.redis.url,
            "HEALING_EVAL_LOG__LEVEL": "warning",
            **self._settings,
            **({"HEALING_EVAL_CACHE_URL": self.redis.url} if self._remembers else {}),
        }
        if self._model_delay_ms is not None:
            port = free_port()
            model = [sys.executable, "-m", "bench.production.model", str(port), str(self._model_delay_ms)]
            self._run("model", model, folder=Path.cwd())
            environment |= {
                "HEALING_EVAL_JUDGE__MODEL": "openai:bench-1",
                "OPENAI_API_KEY": "none",
                "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
            }
        told = [f"{name}={value}" for name, value in environment.items()]
        self._run("serve", ["env", *told, COMMAND, "serve", "--port", str(self.port), *self._serve])
        wait_until_ready(lambda: _get(self.port, "/readyz"), "the API", START_SECONDS)
        if self._work is not None:
            self._run("work", ["env", *told, COMMAND, "work", "--port", str(self.health), *self._work])
            wait_until_ready(lambda: _get(self.health, "/readyz"), "the worker", START_SECONDS)

    def run(self, name: str, command: Sequence[str | Path]) -> None:
        """Start another part, which is ended with the others; benchmarks of our own run from this folder."""
        self._run(name, command, folder=Path.cwd())

    def _run(self, name: str, command: Sequence[str | Path], folder: Path | None = None) -> None:
        if folder is not None:
            command = ["env", "-C", folder, *command]
        self._parts[name] = Process(command, work_folder(name))
        self._parts[name].start()

    def backlog(self) -> int:
        """Count the messages that nobody has worked off."""
        return sum(int(self.redis.ask(f"XLEN {name}").lstrip(":")) for name in self.streams())

    def streams(self) -> list[str]:
        """Name the streams of the lanes, as Redis knows them."""
        return [f"healing-eval:{{{lane}}}" for lane in LANES]

    def count(self, query: str) -> int:
        """Ask the store for one number."""
        return int(self.postgresql.sql(query, database=self.store_url.rpartition("/")[2]))

    def cpu_seconds(self) -> dict[str, float]:
        """Add up what each part has used so far, the children it started included."""
        used = {name: _used_by_all(part.pid) for name, part in self._parts.items()}
        return used | {"postgresql": _used_by_all(self.postgresql.pid), "redis": _used_by_all(self.redis.pid)}

    def redis_bytes(self) -> int:
        """How much memory Redis uses."""
        lines = self.redis.ask_all("INFO memory").splitlines()
        return int(next(line for line in lines if line.startswith("used_memory:")).partition(":")[2])

    def logs(self) -> str:
        """What our processes complained about."""
        return "\n".join(f"{name}: {part.log()[-2000:]}" for name, part in self._parts.items())


def _used_by_all(pid: int) -> float:
    """Add up the CPU seconds of a process and of all it started, those that have ended included."""
    with suppress(OSError):  # it has just ended
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / CLOCK_TICKS + sum(_used_by_all(int(child)) for child in children)
    return 0.0


def _get(port: int, path: str) -> bytes:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read()
