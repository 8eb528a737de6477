"""The clocks of hosts differ by an hour, and nothing is lost, stuck or told an hour late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from healing_eval import plugins, telemetry
from healing_eval.backends.ledger.postgresql import PostgresqlLedger
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.stream import Stream
from healing_eval.testing.contract_clock import A_LITTLE, HOUR
from healing_eval.testing.contract_retention import accept
from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.worker.census import Census
from healing_eval.worker.sweep import NAME, sweep
from healing_eval.worker.turn import Turn

LANE = "checks"


@pytest.fixture(params=[HOUR, -HOUR], ids=["store ahead", "store behind"])
async def ledger(
    request: pytest.FixtureRequest, postgresql: Postgresql, new_postgresql_url: str
) -> AsyncIterator[Ledger]:
    """A store from whose clock this host's differs."""
    ahead: timedelta = request.param
    postgresql.set_clock(new_postgresql_url.rpartition("/")[2], ahead)
    opened = PostgresqlLedger(new_postgresql_url)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def stream() -> AsyncIterator[Stream]:
    opened: Stream = plugins.load_for_url(plugins.STREAM, "memory://").from_url("memory://")  # type: ignore[attr-defined]
    await opened.open([LANE])
    yield opened
    await opened.close()


@pytest.mark.services
async def test_what_was_never_rung_is_rung_after_one_round_of_sweeping(ledger: Ledger, stream: Stream) -> None:
    turn = Turn(plugins.load_for_url(plugins.LEASE, "memory://").from_url("memory://"), "host", NAME)  # type: ignore[attr-defined]
    stop = asyncio.Event()
    first = await accept(ledger, "before")
    sweeping = asyncio.create_task(sweep({LANE: ()}, ledger, stream, turn, stop, every_seconds=0.2))
    at_once = await stream.read(LANE, "worker", count=9, wait_seconds=10)
    await stream.ack(LANE, at_once)
    await ledger.fail([first], LANE, "it is not what this is about")

    second = await accept(ledger, "meanwhile")
    later = await stream.read(LANE, "worker", count=9, wait_seconds=10)

    stop.set()
    await sweeping
    assert first in [one.revision_key for one in at_once]
    assert second in [one.revision_key for one in later]


@pytest.mark.services
async def test_the_age_of_what_waits_longest_is_its_age(ledger: Ledger) -> None:
    census = Census(ledger, [LANE])
    await accept(ledger)

    await census.take()

    age = telemetry.OLDEST_PENDING_SECONDS.labels(LANE)._value.get()
    census.forget()
    assert 0 < age < A_LITTLE.total_seconds()
