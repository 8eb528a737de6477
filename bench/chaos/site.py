"""What is broken? A durable PostgreSQL, a Redis, a model, `serve` and `work`, each in processes of its own.

The store and the stream are reached through proxies, so that the network between can be broken as well.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.request import Request, urlopen

import msgspec

from bench.chaos.poison import installed_in
from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.process import MissingServer, Process, free_port, wait_until_ready, work_folder
from healing_eval.testing.servers.proxy import FaultProxy
from healing_eval.testing.servers.redis import RedisServer

COMMAND = Path(sys.executable).parent / "healing-eval"
LANES = ("checks", "judges")
START_SECONDS = 60.0
MOST_CONNECTIONS = "300"
"""Of PostgreSQL: what is half-open for ever stays open there, and counts."""
MODEL_DELAY_MS = "50"
SETTINGS = {
    "HEALING_EVAL_WORKER__REDELIVER_AFTER_SECONDS": "5",
    "HEALING_EVAL_WORKER__SWEEP_EVERY_SECONDS": "3",
    "HEALING_EVAL_WORKER__RETRY_FOR_SECONDS": "120",
    "HEALING_EVAL_JUDGE__TIMEOUT_SECONDS": "3",
}
"""Shorter than by default, so that a run does not wait for minutes: 120, 30, 900 and 60."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a site is like, where it is not like all others."""

    aof: Literal["everysec", "always"] | None = "everysec"
    """How Redis keeps what it is told; None: not over a restart."""
    settings: dict[str, str] = {}
    """More of the environment of our processes."""
    started: tuple[str, ...] = ("postgresql", "redis")
    """Which servers are there before us."""
    serve_clock: str | None = None
    """How far the clock of `serve` is off, as faketime writes it; None: not at all."""
    work_clocks: tuple[str | None, ...] = (None,)
    """The same of each `work`; more than one stands for several hosts."""
    poisoned: bool = False
    """Whether there is an evaluator that breaks on some conversations, `bench.chaos.poison`."""


class Site:
    """All parts of a production site on one machine; a context manager that ends what it started."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.port, self.model_port = free_port(), free_port()

    def __enter__(self) -> Site:
        self.postgresql = Postgresql(durable=True, settings={"max_connections": MOST_CONNECTIONS})
        self.redis = RedisServer(self.plan.aof)
        self.parts: dict[str, Process] = {}
        self._plug_ins = work_folder("plug-ins")
        self.store_network, self.stream_network = FaultProxy(self.postgresql.port), FaultProxy(self.redis.port)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for part in self.parts.values():
            kill_all(part)
            part.remove()
        for proxy in (self.store_network, self.stream_network):
            proxy.stop()
        for server in (self.redis, self.postgresql):
            server.resume() if server.runs else None
            server.remove()
        shutil.rmtree(self._plug_ins, ignore_errors=True)

    def _start(self) -> None:
        self.store_network.start()
        self.stream_network.start()
        model = ["-m", "healing_eval.testing.fake_model", str(self.model_port), MODEL_DELAY_MS]
        self._make("model", [sys.executable, *model], {}, None)
        self.start("model")
        wait_until_ready(self.model_stats, "the model", START_SECONDS)
        if "postgresql" in self.plan.started:
            self.postgresql.start()
        if "redis" in self.plan.started:
            self.redis.start()
        self._make("serve", self._serve_command(), self._environment(), self.plan.serve_clock)
        for name, clock in zip(self.work_names, self.plan.work_clocks, strict=True):
            self._make(name, [COMMAND, "work", "--processes", "2", "--port", "0"], self._environment(), clock)
        self.start("serve", *self.work_names)

    @property
    def work_names(self) -> list[str]:
        """Names of the parts that run `work`."""
        return [f"work-{number}" for number, _ in enumerate(self.plan.work_clocks, 1)]

    def _serve_command(self) -> list[str | Path]:
        return [COMMAND, "serve", "--workers", "2", "--port", str(self.port)]

    def _environment(self) -> dict[str, str]:
        return {
            "HEALING_EVAL_STORE_URL": f"postgresql://postgres@127.0.0.1:{self.store_network.port}/postgres",
            "HEALING_EVAL_STREAM_URL": f"redis://127.0.0.1:{self.stream_network.port}/0",
            "HEALING_EVAL_LOG__LEVEL": "warning",
            "HEALING_EVAL_JUDGE__MODEL": "openai:fake-1",
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{self.model_port}/v1",
            **(installed_in(self._plug_ins) if self.plan.poisoned else {}),
            **SETTINGS,
            **self.plan.settings,
        }

    def _make(self, name: str, command: Sequence[str | Path], told: Mapping[str, str], clock: str | None) -> None:
        shifted = clock_shifted_by(clock) if clock else {}
        settings = [f"{key}={value}" for key, value in {**told, **shifted}.items()]
        self.parts[name] = Process(["env", *settings, *command], work_folder(name))

    def start(self, *names: str) -> None:
        """Start parts; nobody waits until they are ready."""
        for name in names:
            self.parts[name].start()

    def is_ready(self) -> bool:
        """Whether the API says that it works."""
        with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
            return answer.status == 200

    def stream_of(self, lane: str) -> str:
        """Name the key of a lane's stream in Redis."""
        return f"healing-eval:{{{lane}}}"

    def messages(self) -> int:
        """Count what is in the streams of all lanes, not acknowledged yet or waiting for later."""
        return sum(int(self.redis.ask(self._counting(self.stream_of(lane))).removeprefix(":")) for lane in LANES)

    @staticmethod
    def _counting(stream: str) -> str:
        """Count both at once: what moves from one to the other in between would not be seen in either."""
        return f"EVAL \"return redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2])\" 2 {stream} {stream}:delayed"

    def rows(self, query: str) -> list[list[str]]:
        """Ask the store, not through the proxy."""
        return [line.split("|") for line in self.postgresql.sql(query).splitlines()]

    def tell_model(self, **how: Any) -> None:
        """Change how the model answers from now on; see `healing_eval.testing.fake_model`."""
        self._ask_model("/control", msgspec.json.encode(how))

    def model_stats(self) -> dict[str, Any]:
        """Tell what the model has counted."""
        return msgspec.json.decode(self._ask_model("/stats"))

    def _ask_model(self, path: str, body: bytes | None = None) -> bytes:
        with urlopen(Request(f"http://127.0.0.1:{self.model_port}{path}", body), timeout=10) as answer:
            return answer.read()

    def logs(self) -> str:
        """What our processes complained about last."""
        return "\n".join(f"--- {name}\n{part.log()[-3000:]}" for name, part in self.parts.items() if name != "model")


def children_of(part: Process) -> list[int]:
    """The ids of the processes that a part has started."""
    listed = Path(f"/proc/{part.pid}/task/{part.pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def pause_all(part: Process) -> None:
    """Freeze a part and its children, as a host does that is moved."""
    part.pause()
    for child in children_of(part):
        os.kill(child, signal.SIGSTOP)


def resume_all(part: Process) -> None:
    """Let a frozen part go on."""
    for child in children_of(part):
        os.kill(child, signal.SIGCONT)
    part.resume()


def kill_all(part: Process) -> None:
    """End a part and its children as a power cut does."""
    if not part.runs:
        return
    children = children_of(part)
    part.kill()
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def clock_shifted_by(offset: str) -> dict[str, str]:
    """What to set so that a process sees another time of day; its timers go as they should.

    Raises:
        MissingServer: faketime is not installed.
    """
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise MissingServer("no libfaketime on this machine; on Debian: apt-get install faketime")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
