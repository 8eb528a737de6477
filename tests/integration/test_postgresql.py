"""Many processes on one PostgreSQL, which dies, hangs and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from sqlalchemy import text

from healing_eval.api.app import create_operations_app
from healing_eval.backends.ledger.postgresql import PostgresqlLedger
from healing_eval.backends.sql.postgresql import PostgresqlDatabase
from healing_eval.config import Settings
from healing_eval.domain.annotation import Annotation
from healing_eval.errors import BackendError
from healing_eval.ports.ledger import LaneResult
from healing_eval.testing.builders import a_conversation, a_submission, an_evaluation, an_issue
from healing_eval.testing.contract_ledger import LANES, mean_verdict
from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.proxy import FaultProxy
from healing_eval.testing.waiting import wait_until
from healing_eval.wiring import build_services

pytestmark = pytest.mark.services

SECONDS_TO_ANSWER = 0.5


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[PostgresqlLedger]:
    ledger = PostgresqlLedger.from_url(url)
    try:
        await ledger.open()
        yield ledger
    finally:
        await ledger.close()


def named(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def ledger_answers(ledger: PostgresqlLedger) -> Callable[[], Awaitable[bool]]:
    async def answers() -> bool:
        try:
            await ledger.check()
        except BackendError:
            return False
        return True

    return answers


def is_held(server: Postgresql) -> Callable[[], Awaitable[bool]]:
    async def held() -> bool:
        return bool(server.sql("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))

    return held


# -- at the same time --------------------------------------------------------------------------------------------------


async def test_eight_who_add_the_same_conversations_store_each_once(
    postgresql: Postgresql, postgresql_url: str
) -> None:
    async with opened(postgresql_url) as one, opened(postgresql_url) as other:
        batches = [
            [
                a_submission(a_conversation(f"c-{(first + 7 * number) % 40}", 2 + 2 * (number % 2)))
                for number in range(40)
            ]
            for first in range(8)
        ]

        receipts = await asyncio.gather(
            *((one, other)[place % 2].add(batch, LANES) for place, batch in enumerate(batches))
        )

    stored = postgresql.sql("SELECT count(*), sum(revision) FROM conversations", database=named(postgresql_url))
    bodies = postgresql.sql(
        "SELECT count(*), count(DISTINCT (conversation_key, content_hash)) FROM revisions",
        database=named(postgresql_url),
    )
    fresh = [one for batch in receipts for one in batch if one.status != "duplicate"]
    assert stored.partition("|")[0] == "40"
    assert bodies == f"{len(fresh)}|{len(fresh)}"


async def test_two_workers_that_close_a_lane_of_the_same_revisions_store_evaluations_once(
    postgresql: Postgresql, postgresql_url: str
) -> None:
    async with opened(postgresql_url) as one, opened(postgresql_url) as other:
        receipts = await one.add([a_submission(a_conversation(f"c-{number}")) for number in range(60)], LANES)
        keys = [receipt.revision_key for receipt in receipts]

        def found(lane: str, step: int) -> list[LaneResult]:
            return [
                LaneResult(key, (an_evaluation(key.conversation_key, f"of-{lane}", issues=[an_issue()]),))
                for key in keys[::step]
            ]

        closed = await asyncio.gather(
            *(
                ledger.close_lane(lane, found(lane, step), mean_verdict)
                for lane in LANES
                for ledger, step in ((one, 1), (other, -1), (one, -1))
            )
        )

    counts = postgresql.sql(
        "SELECT (SELECT count(*) FROM evaluations), (SELECT count(*) FROM issues), (SELECT count(*) FROM verdicts)",
        database=named(postgresql_url),
    )
    assert [sum(map(len, closed[:3])), sum(map(len, closed[3:]))] == [60, 60]
    assert counts == "120|120|60"


async def test_adding_and_closing_in_any_order_meets_no_deadlock(postgresql: Postgresql, postgresql_url: str) -> None:
    async with opened(postgresql_url) as ledger:
        names = [f"c-{number}" for number in range(30)]
        receipts = await ledger.add([a_submission(a_conversation(name)) for name in names], LANES)
        keys = [receipt.revision_key for receipt in receipts]

        async def grow(turns: int) -> None:
            batch = [a_submission(a_conversation(name, turns)) for name in (names if turns % 4 else reversed(names))]
            await ledger.add(batch, LANES)

        async def close(lane: str, step: int) -> None:
            results = [LaneResult(key, (an_evaluation(key.conversation_key, lane),)) for key in keys[::step]]
            await ledger.close_lane(lane, results, mean_verdict)

        async def annotate(step: int) -> None:
            for key in keys[::step]:
                await ledger.annotate(key.conversation_key, [Annotation("tone", step, "ann")])

        await asyncio.gather(
            *(grow(turns) for turns in range(4, 14, 2)),
            *(close(lane, step) for lane in LANES for step in (1, -1)),
            *(annotate(step) for step in (1, -1)),
        )

    assert "deadlock" not in postgresql.log()


async def test_bodies_are_verbatim_and_can_be_searched_by_word_and_by_field(
    postgresql: Postgresql, postgresql_url: str
) -> None:
    async with opened(postgresql_url) as ledger:
        sent = [a_submission(a_conversation(name, metadata={"town": name})) for name in ("Kraków", "a\0b \U0001f600")]
        receipts = await ledger.add(sent, LANES)
        stored = await ledger.load([one.revision_key for one in receipts])

    by_word = "SELECT conversation_id FROM revisions WHERE position(convert_to('Krak', 'UTF8') IN body) > 0"
    by_field = (
        "SELECT conversation_id FROM revisions"
        " WHERE convert_from(body, 'UTF8')::jsonb -> 'metadata' ->> 'town' LIKE 'Krak%'"
    )
    found = [postgresql.sql(query, database=named(postgresql_url)) for query in (by_word, by_field)]
    assert [one.body for one in stored] == [one.body for one in sent]
    assert found == ["Kraków", "Kraków"]


# -- the server dies ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_server(postgresql: Postgresql) -> Iterator[Postgresql]:
    """A server that may be killed."""
    assert postgresql.runs
    server = Postgresql()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def own_url(own_server: Postgresql) -> str:
    return f"{own_server.new_database()}?command_timeout={SECONDS_TO_ANSWER}&connect_timeout={SECONDS_TO_ANSWER}"


@pytest.mark.parametrize("rows_before_the_kill", [0, 150])
async def test_a_batch_is_stored_whole_or_not_at_all_when_the_server_is_killed_in_the_middle(
    own_server: Postgresql, own_url: str, rows_before_the_kill: int
) -> None:
    batch = [a_submission(a_conversation(f"c-{number}")) for number in range(300)]
    # The trigger holds the transaction in the middle of its rows until the server is killed.
    async with opened(own_url.replace(f"command_timeout={SECONDS_TO_ANSWER}", "command_timeout=20")) as ledger:
        own_server.sql(
            "CREATE SEQUENCE seen",
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN IF nextval('seen') > {rows_before_the_kill}"
            " THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END $$",
            "CREATE TRIGGER hold BEFORE INSERT ON revisions FOR EACH ROW EXECUTE FUNCTION hold()",
            database=named(own_url),
        )
        adding = asyncio.create_task(ledger.add(batch, LANES))
        await wait_until(is_held(own_server))

        own_server.kill()
        with pytest.raises(BackendError):
            await adding
        own_server.start()
        own_server.sql("DROP TRIGGER hold ON revisions", database=named(own_url))
        stored = await ledger.count_by_status()
        again = await ledger.add(batch, LANES)
        and_again = await ledger.add(batch, LANES)

    assert stored == {}
    assert {one.status for one in again} == {"accepted"}
    assert {one.status for one in and_again} == {"duplicate"}


async def test_a_ledger_goes_on_by_itself_when_the_server_is_back(own_server: Postgresql, own_url: str) -> None:
    async with opened(own_url) as ledger:
        await asyncio.gather(*(ledger.add([a_submission(a_conversation(f"c-{n}"))], LANES) for n in range(10)))

        own_server.kill()
        with pytest.raises(BackendError):
            await ledger.add([a_submission(a_conversation("late"))], LANES)
        own_server.start()
        receipts = await asyncio.gather(
            *(ledger.add([a_submission(a_conversation(f"c-{n}"))], LANES) for n in range(12))
        )

    assert [one.status for (one,) in receipts] == ["duplicate"] * 10 + ["accepted"] * 2


async def test_a_connection_that_the_network_swallowed_keeps_its_locks_no_longer_than_an_answer_takes(
    postgresql: Postgresql, postgresql_url: str
) -> None:
    """To the server it looks alive for hours, and everybody else who wants the same rows would wait as long."""
    lock = text("SELECT * FROM conversations FOR UPDATE")
    with FaultProxy(postgresql.port) as network:
        swallowed = postgresql_url.replace(str(postgresql.port), str(network.port))
        async with opened(postgresql_url) as ledger:
            await ledger.add([a_submission(a_conversation("c"))], LANES)
            gone = PostgresqlDatabase(f"{swallowed}?command_timeout={SECONDS_TO_ANSWER}")

            async def lock_and_be_swallowed() -> None:
                async with gone.write() as connection:
                    await connection.execute(lock)
                    network.abandon()
                    await connection.execute(lock)  # nobody hears it

            with pytest.raises(BackendError):
                await lock_and_be_swallowed()
            (receipt,) = await ledger.add([a_submission(a_conversation("c", 4))], LANES)

            await gone.close()

    assert receipt.status == "revised"


async def test_the_server_is_to_notice_within_half_a_minute_that_we_are_gone(postgresql_url: str) -> None:
    database = PostgresqlDatabase(postgresql_url)
    parts = ("idle", "interval", "count")

    async with database.look() as connection:
        idle, interval, count = [
            int((await connection.execute(text(f"SHOW tcp_keepalives_{part}"))).scalar_one()) for part in parts
        ]
    await database.close()

    assert idle + interval * count == 30


async def test_a_server_that_hangs_is_an_error_and_then_goes_on(own_server: Postgresql, own_url: str) -> None:
    batch = [a_submission(a_conversation(f"c-{number}")) for number in range(3)]
    async with opened(own_url) as ledger:
        await ledger.add(batch[:1], LANES)

        own_server.pause()
        with pytest.raises(BackendError, match="did not answer in time"):
            await ledger.add(batch, LANES)
        with pytest.raises(BackendError):  # a new connection gets no further
            await ledger.find("default", "c-0")
        own_server.resume()
        await wait_until(ledger_answers(ledger))
        receipts = await ledger.add(batch, LANES)

    assert [one.status for one in receipts] == ["duplicate", "accepted", "accepted"]


async def test_metrics_are_given_while_the_server_hangs_and_after_it_has_died(
    own_server: Postgresql, own_url: str
) -> None:
    async with opened(own_url) as ledger:
        services = msgspec.structs.replace(build_services(Settings()), ledger=ledger)
        transport = httpx.ASGITransport(create_operations_app(services))  # pyright: ignore[reportArgumentType] - scopes are typed more narrowly
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            assert "healing_eval_store_up 1.0" in (await client.get("/metrics")).text

            own_server.pause()
            hung = await client.get("/metrics")
            own_server.resume()
            own_server.kill()
            dead = await client.get("/metrics")
            own_server.start()

    assert [one.status_code for one in (hung, dead)] == [200, 200]
    assert "healing_eval_store_up 0.0" in hung.text
    assert "healing_eval_store_up 0.0" in dead.text
