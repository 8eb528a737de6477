"""What holds for every test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
import structlog

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.process import MissingServer, Process, free_port, wait_until_ready
from healing_eval.testing.servers.redis import RedisServer

Server = TypeVar("Server", bound=Process)

os.environ.pop("COLUMNS", None)  # workers of pytest-xdist have it, and what is printed would be as narrow as that


@pytest.fixture(autouse=True)
def logging_as_at_the_start() -> Iterator[None]:
    """Undo what a test configured: commands that run in-process set the level for the whole process."""
    yield
    structlog.reset_defaults()


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """A ledger of one's own that needs no server."""
    opened = SqliteLedger(f"sqlite:///{tmp_path}/ledger.db")
    await opened.open()
    yield opened
    await opened.close()


def made_or_skipped(make: Callable[[], Server]) -> Server:
    """Make a server. In CI one that is missing fails the test, so that no run is green for having run nothing."""
    try:
        return make()
    except MissingServer as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """One PostgreSQL for all tests that do it no harm."""
    server = made_or_skipped(Postgresql)
    server.start()
    yield server
    server.remove()


def a_redis(**how: Any) -> RedisServer:
    """Make a Redis, not started yet."""
    return made_or_skipped(lambda: RedisServer(**how))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for all tests that leave it running and disturb nobody."""
    server = a_redis()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Names of one's own on the common Redis."""
    return f"{redis_server.url}?prefix={uuid4().hex}"


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisServer]:
    """A cluster of one node: it refuses what reaches over slots, and a script that touches keys it did not name."""
    # The nodes' own port would be ours and 10,000, which may be none or taken.
    server = a_redis(extra=["--cluster-enabled", "yes", "--cluster-port", str(free_port())])
    try:
        server.start()
        server.ask("CLUSTER ADDSLOTSRANGE 0 16383")
        wait_until_ready(lambda: "cluster_state:ok" in server.ask_all("CLUSTER INFO"), "the cluster")
        yield server
    finally:
        server.remove()


@pytest.fixture
def redis_cluster_url(redis_cluster: RedisServer) -> str:
    """Names of one's own on the common cluster."""
    return f"{redis_cluster.url}?prefix={uuid4().hex}"


@pytest.fixture
def new_redis() -> Iterator[Callable[..., RedisServer]]:
    """Make a Redis of one's own, to be started and disturbed at will."""
    made: list[RedisServer] = []

    def make(**how: Any) -> RedisServer:
        made.append(a_redis(**how))
        return made[-1]

    yield make
    for server in made:
        server.remove()


@pytest.fixture
def new_postgresql() -> Iterator[Callable[..., Postgresql]]:
    """Make a PostgreSQL of one's own, to be started and disturbed at will."""
    made: list[Postgresql] = []

    def make(**how: Any) -> Postgresql:
        made.append(made_or_skipped(lambda: Postgresql(**how)))
        return made[-1]

    yield make
    for server in made:
        server.remove()


@pytest.fixture(scope="session")
def prepared(postgresql: Postgresql) -> str:
    """Name a database that has the schema."""
    from healing_eval.backends.ledger.postgresql import PostgresqlLedger

    async def open_once() -> None:
        ledger = PostgresqlLedger.from_url(postgresql.url("prepared"))
        await ledger.open()
        await ledger.close()

    postgresql.sql("CREATE DATABASE prepared")
    asyncio.run(open_once())
    return "prepared"


@pytest.fixture
def postgresql_url(postgresql: Postgresql, prepared: str) -> str:
    """A database with the schema and nothing in it; emptying one takes a tenth of making one."""
    tables = (
        *("conversations", "revisions", "evaluations", "issues", "verdicts", "annotations"),
        *("api_keys", "cached_results", "batches", "batch_questions"),
    )
    postgresql.sql(*(f"DELETE FROM {table}" for table in tables), "DELETE FROM lanes WHERE bit > 2", database=prepared)
    return postgresql.url(prepared)


@pytest.fixture
def new_postgresql_url(postgresql: Postgresql) -> Iterator[str]:
    """A database with nothing at all in it."""
    url = postgresql.new_database()
    yield url
    postgresql.sql(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests of real servers did not run, and why."""
    reasons = [
        report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if "services" in report.keywords
    ]
    for reason in sorted(set(reasons)):
        terminalreporter.write_line(f"{reasons.count(reason)} tests did not run: {reason.removeprefix('Skipped: ')}")
