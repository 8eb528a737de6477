from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from healing_eval.backends.batch_work.sqlite import SqliteBatchWork
from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.ports.batch_work import KEEP_BATCHES_SECONDS, KEEP_SECONDS, Asked

NOW = datetime(2031, 1, 1, tzinfo=UTC)


class Later:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


@pytest.fixture
def clock() -> Later:
    return Later()


@pytest.fixture
async def work(tmp_path: Path, clock: Later) -> AsyncGenerator[SqliteBatchWork]:
    url = f"sqlite:///{tmp_path}/store.db"
    ledger = SqliteLedger.from_url(url)
    await ledger.open()
    await ledger.close()
    work = SqliteBatchWork(url, clock)
    yield work
    await work.close()


def asked(name: str) -> Asked:
    return Asked(name.encode().ljust(16), "openai:m", b"{}")


async def states(work: SqliteBatchWork, names: str) -> list[str]:
    return [one.state for one in await work.ask([asked(name) for name in names])]


async def settled(work: SqliteBatchWork) -> None:
    """Have `a` answered and `b` fail for good; `c` waits."""
    await work.ask([asked("a"), asked("b")])
    await work.bundle("openai:m", "d", "b1", most_questions=10, most_bytes=1000)
    await work.settle("b1", {asked("a").key: b"yes"}, [asked("b").key], most_failures=1)
    await work.end("b1", "failed", None, most_failures=1)
    await work.ask([asked("c")])


async def test_answers_are_kept_for_a_week_and_what_waits_for_ever(work: SqliteBatchWork, clock: Later) -> None:
    await settled(work)
    clock.seconds = KEEP_SECONDS - 1
    await work.sweep()
    before = await states(work, "abc")

    clock.seconds = KEEP_SECONDS
    await work.sweep()

    assert before == ["answered", "direct", "waiting"]
    (still,) = await work.waiting()
    assert (still.questions, still.oldest_seconds) == (1, KEEP_SECONDS)


async def test_of_batches_that_have_ended_it_is_known_for_a_month(work: SqliteBatchWork, clock: Later) -> None:
    await settled(work)
    await work.bundle("openai:m", "d", "open", most_questions=10, most_bytes=1000)
    clock.seconds = KEEP_BATCHES_SECONDS - 1
    await work.sweep()
    before = [one.batch_id for one in await work.batches(ended=True)]

    clock.seconds = KEEP_BATCHES_SECONDS
    await work.sweep()

    assert sorted(before) == ["b1", "open"]
    assert [(one.batch_id, one.age_seconds) for one in await work.batches(ended=True)] == [
        ("open", KEEP_BATCHES_SECONDS)
    ]


async def test_ages_are_those_of_the_first_asking(work: SqliteBatchWork, clock: Later) -> None:
    await work.ask([asked("a")])
    clock.seconds = 90

    (standing,) = await work.ask([asked("a")])

    assert standing.age_seconds == 90
