"""What holds for every test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
import structlog

from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.process import MissingServer, Process

Server = TypeVar("Server", bound=Process)


@pytest.fixture(autouse=True)
def logging_as_at_the_start() -> Iterator[None]:
    """Undo what a test configured: commands that run in-process set the level for the whole process."""
    yield
    structlog.reset_defaults()


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
    tables = ("conversations", "revisions", "evaluations", "issues", "verdicts", "annotations", "api_keys")
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
