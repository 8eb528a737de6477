"""A store in which questions wait for batches, and a server that takes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from healing_eval.backends.batch_work.sqlite import SqliteBatchWork
from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.ports.batch_work import BatchWork
from healing_eval.testing.fake_model import FakeModel


class Later:
    """The store's clock, set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return datetime(2031, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
async def new_work(tmp_path: Path, later: Later) -> AsyncGenerator[Callable[[], BatchWork]]:
    """Open the same store once more, as another process does."""
    url = f"sqlite:///{tmp_path}/store.db"
    ledger = SqliteLedger.from_url(url)
    await ledger.open()
    await ledger.close()
    made: list[SqliteBatchWork] = []

    def make() -> BatchWork:
        made.append(SqliteBatchWork(url, later))
        return made[-1]

    yield make
    for work in made:
        await work.close()


@pytest.fixture
def work(new_work: Callable[[], BatchWork]) -> BatchWork:
    return new_work()


@pytest.fixture
async def fake(later: Later) -> AsyncGenerator[FakeModel]:
    async with FakeModel() as fake:
        fake.batches.clock = later
        yield fake
