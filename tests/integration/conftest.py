"""The real server on a free port, over SQLite in a folder of the test's own, and a small client."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPResponse
from itertools import count
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import msgspec
import pytest

from healing_eval import plugins
from healing_eval.api.app import create_app
from healing_eval.api.server import serve
from healing_eval.config import Settings, read_settings
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Findings
from healing_eval.domain.verdict import VerdictRules
from healing_eval.panel import Panel
from healing_eval.pipeline.backlog import Backlog
from healing_eval.ports.catalog import Catalog
from healing_eval.ports.evaluator import EvaluatorSetup
from healing_eval.ports.lease import Lease
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.stream import Stream
from healing_eval.wiring import Services

T = TypeVar("T")
_projects = count()


class Praise:
    """Finds everything perfect."""

    name = "praise"
    version = "1"
    weight = 1.0
    lane = "checks"
    needs: frozenset[str] = frozenset()

    @classmethod
    def create(cls, setup: EvaluatorSetup) -> Self:
        return cls()

    def inapplicable(self, conversation: Conversation) -> str | None:
        return None

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        for one in conversations:
            yield Evaluation(one.key, self.name, self.version, Findings(overall=1.0))


def services_on(settings: Settings) -> Services:
    """Build what `build_services` builds, with one evaluator that needs nothing."""
    url = settings.effective_store_url
    ledger = cast("type[Ledger]", plugins.load_for_url(plugins.LEDGER, url)).from_url(url)
    return Services(
        settings=settings,
        ledger=ledger,
        catalog=cast("type[Catalog]", plugins.load_for_url(plugins.CATALOG, url)).from_url(url),
        stream=cast("type[Stream]", plugins.load_for_url(plugins.STREAM, "memory://")).from_url("memory://"),
        lease=cast("type[Lease]", plugins.load_for_url(plugins.LEASE, "memory://")).from_url("memory://"),
        panel=Panel((Praise(),), VerdictRules({"praise": 1.0})),
        backlog=Backlog(ledger, settings.limits.backlog),
    )


class Failing:
    """Stands in front of a store or stream; the methods named fail, all others are the real one's."""

    def __init__(self, real: object, **errors: Exception) -> None:
        self._real = real
        self._errors = errors

    def __getattr__(self, name: str) -> Any:
        return self._fail(name) if name in self._errors else getattr(self._real, name)

    def _fail(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def fail(*_: object, **__: object) -> Any:
            raise self._errors[name]

        return fail


class Answer(msgspec.Struct):
    """A response, read."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class RunningServer:
    """A server in a thread with an event loop of its own."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._listening.wait(30)
        assert self.port, "the server did not start"

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve())
            finally:
                self._listening.set()

    async def _serve(self) -> None:
        def ready(port: int) -> None:
            self.port = port
            self._listening.set()

        self._stop = asyncio.Event()
        await self.services.open()
        serving = asyncio.create_task(serve(create_app(self.services), "127.0.0.1", 0, ready=ready))
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        stopped.cancel()
        await asyncio.gather(serving, stopped, return_exceptions=True)
        await self.services.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def do(self, task: Awaitable[T]) -> T:
        """Run something in the server's loop, such as a look into its ledger."""

        async def wait() -> T:
            return await task

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(20)


class Client:
    """Sends requests as they are, without touching paths, in a project of its own."""

    def __init__(self, server: RunningServer, headers: Mapping[str, str] | None = None) -> None:
        self.server = server
        self.headers = {"X-Healing-Eval-Project": f"project-{next(_projects)}"} if headers is None else dict(headers)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            connection.request(method, path, body, self.headers | dict(headers or {}))
            response: HTTPResponse = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def post(self, path: str, value: Any, **headers: str) -> Answer:
        return self.send("POST", path, json.dumps(value).encode(), {"Content-Type": "application/json"} | headers)

    def send_conversations(self, *items: Any) -> Answer:
        return self.post("/api/v1/conversations", {"conversations": list(items)})


def wait_until(holds: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Return the moment a condition holds; fail when it does not in time."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(0.01)


def conversation(name: Any = "c-1", **other: Any) -> dict[str, Any]:
    """A conversation as a sender writes it."""
    return {
        "conversation_id": name,
        "agent_version": "v1",
        "turns": [
            {"turn_id": 1, "role": "user", "content": "When does my train leave?"},
            {"turn_id": 2, "role": "assistant", "content": "At 10:15."},
        ],
    } | other


Start = Callable[..., RunningServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server with the given settings, over services that `change` may wrap."""
    started: list[RunningServer] = []

    def start_one(change: Callable[[Services], Services] = lambda same: same, **settings: Any) -> RunningServer:
        services = services_on(read_settings(data_dir=tmp_path, **settings))
        started.append(RunningServer(change(services)))
        return started[-1]

    yield start_one
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests that bring nothing of their own but a project."""
    running = RunningServer(services_on(read_settings(data_dir=tmp_path_factory.mktemp("store"))))
    yield running
    running.stop()


@pytest.fixture
def client(server: RunningServer) -> Client:
    """A client in a new project."""
    return Client(server)
