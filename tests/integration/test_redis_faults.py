"""What becomes of messages when a real Redis crashes, freezes, is emptied, is full or comes late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from healing_eval import plugins
from healing_eval.backends.redis.address import read_address
from healing_eval.backends.stream.redis import Patience, RedisStream
from healing_eval.domain.revision import RevisionKey
from healing_eval.errors import BackendError
from healing_eval.formats.limits import WireLimits
from healing_eval.pipeline.ingest import Ingest
from healing_eval.ports.ledger import Ledger
from healing_eval.testing.builders import PROJECT, a_conversation, wire_item
from healing_eval.testing.contract_stream import keys_of, read_keys
from healing_eval.testing.servers.redis import RedisServer
from healing_eval.testing.waiting import wait_until

pytestmark = pytest.mark.services

LANE = "checks"
STREAM = "healing-eval:{checks}"
NewRedis = Callable[..., RedisServer]
HASTY = Patience(append=0.2, append_rest=0.1, answer=0.5, block=0.05)


@asynccontextmanager
async def a_stream(server: RedisServer, patience: Patience = HASTY) -> AsyncGenerator[RedisStream]:
    stream = RedisStream(read_address(server.url), patience)
    await stream.open([LANE])
    try:
        yield stream
    finally:
        await stream.close()


@pytest.fixture
def server(new_redis: NewRedis) -> RedisServer:
    made = new_redis(aof="always")
    made.start()
    return made


@pytest.fixture
async def stream(server: RedisServer) -> AsyncIterator[RedisStream]:
    async with a_stream(server) as opened:
        yield opened


class Readers:
    """Consumers that go on through every error, and remember together what became of what they read."""

    def __init__(self, stream: RedisStream) -> None:
        self._stream = stream
        self.read: set[RevisionKey] = set()
        self.done: set[RevisionKey] = set()
        """Acknowledged for sure; of what else was read the answer may have been lost."""
        self.came_again: set[RevisionKey] = set()
        """Handed out after it had been acknowledged."""
        self.errors = 0

    async def run(self, name: str) -> None:
        while True:
            try:
                taken = await self._stream.claim(LANE, name, count=7, idle_seconds=0.3)
                taken = taken or await self._stream.read(LANE, name, count=7, wait_seconds=0.1)
                self.came_again.update(self.done.intersection(read_keys(taken)))
                self.read.update(read_keys(taken))
                await self._stream.ack(LANE, taken)
                self.done.update(read_keys(taken))
            except BackendError:
                self.errors += 1
                await asyncio.sleep(0.01)

    async def until_done(self, keys: Sequence[RevisionKey]) -> None:
        async def holds() -> bool:
            return set(keys) <= self.done

        await wait_until(holds)

    async def until_errors(self, at_least: int) -> None:
        async def holds() -> bool:
            return self.errors >= at_least

        await wait_until(holds)


@asynccontextmanager
async def reading(stream: RedisStream, *names: str) -> AsyncGenerator[Readers]:
    readers = Readers(stream)
    running = [asyncio.create_task(readers.run(name)) for name in names]
    yield readers
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def append_insistently(stream: RedisStream, keys: Sequence[RevisionKey]) -> None:
    async def succeeds() -> bool:
        try:
            await stream.append(LANE, keys)
        except BackendError:
            return False
        return True

    await wait_until(succeeds)


async def until_empty(stream: RedisStream) -> None:
    async def holds() -> bool:
        try:
            return await stream.depth(LANE) == 0
        except BackendError:
            return False

    await wait_until(holds)


async def test_after_a_crash_with_a_log_everything_unacknowledged_comes_again_and_nothing_else(
    server: RedisServer, stream: RedisStream
) -> None:
    keys = keys_of(400)
    await stream.append(LANE, keys[:200])
    held = await stream.read(LANE, "dead", count=50, wait_seconds=1)

    async with reading(stream, "a", "b") as readers:
        await readers.until_done(keys[60:100])
        server.kill()
        done_before = set(readers.done)
        server.start()
        await append_insistently(stream, keys[200:])
        await readers.until_done(keys[200:])
        await until_empty(stream)

    assert len(held) == 50
    assert done_before
    assert readers.read == set(keys)
    assert readers.came_again == set()


async def test_after_a_crash_without_a_log_reading_goes_on_with_what_is_rung_anew(new_redis: NewRedis) -> None:
    server = new_redis(aof=None)
    server.start()
    async with a_stream(server) as stream, reading(stream, "a", "b") as readers:
        await stream.append(LANE, keys_of(100))
        await readers.until_done(keys_of(20))

        server.kill()
        server.start()
        await append_insistently(stream, keys_of(300)[100:])

        await readers.until_done(keys_of(300)[100:])
        assert await stream.depth(LANE) == 0
        assert readers.came_again == set()


async def test_after_everything_was_flushed_every_command_works(server: RedisServer, stream: RedisStream) -> None:
    await stream.append(LANE, keys_of(9))
    held = await stream.read(LANE, "a", count=3, wait_seconds=1)
    server.ask("FLUSHALL")

    await stream.hold(LANE, "a", held)
    await stream.release(LANE, held[:1], delay_seconds=0)
    server.ask("FLUSHALL")
    claimed = await stream.claim(LANE, "b", count=9, idle_seconds=0)
    server.ask("FLUSHALL")
    await stream.ack(LANE, held)
    await stream.bury(LANE, held, "late")
    depth = await stream.depth(LANE)
    await stream.append(LANE, keys_of(1))

    assert (claimed, depth) == ([], 0)
    assert (await stream.list_dead(LANE, limit=9)).items == []
    assert read_keys(await stream.read(LANE, "b", count=9, wait_seconds=1)) == keys_of(1)


async def test_a_waiting_reader_outlives_a_flush(server: RedisServer, stream: RedisStream) -> None:
    waiting = asyncio.create_task(stream.read(LANE, "a", count=1, wait_seconds=30))

    async def it_waits() -> bool:
        return "blocked_clients:1" in server.ask_all("INFO clients")

    await wait_until(it_waits)

    server.ask("FLUSHALL")
    await stream.append(LANE, keys_of(1))

    assert read_keys(await waiting) == keys_of(1)


async def test_a_group_that_was_evicted_is_made_again_and_begins_with_what_is_there(
    server: RedisServer, stream: RedisStream
) -> None:
    server.ask(f"XGROUP DESTROY {STREAM} workers")
    await stream.append(LANE, keys_of(2))

    assert read_keys(await stream.read(LANE, "a", count=9, wait_seconds=1)) == keys_of(2)


async def test_while_redis_is_frozen_an_append_fails_soon_and_the_next_ones_at_once(server: RedisServer) -> None:
    async with a_stream(server, Patience(append_rest=3600)) as stream:
        await stream.append(LANE, keys_of(1))
        server.pause()

        async with asyncio.timeout(1):
            with pytest.raises(BackendError, match=r"no answer within 0\.4 s"):
                await stream.append(LANE, keys_of(1))

        for _ in range(50):
            with pytest.raises(BackendError, match="a moment ago"):
                await stream.append(LANE, keys_of(1))
        server.resume()


@asynccontextmanager
async def a_ledger(folder: Path) -> AsyncGenerator[Ledger]:
    url = f"sqlite:///{folder}/ledger.db"
    ledger: Ledger = plugins.load_for_url(plugins.LEDGER, url).from_url(url)  # type: ignore[attr-defined]
    await ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close()


@pytest.mark.parametrize("disturb", [RedisServer.pause, RedisServer.kill])
async def test_a_post_is_answered_within_a_second_whatever_redis_does(
    server: RedisServer, tmp_path: Path, disturb: Callable[[RedisServer], None]
) -> None:
    async with a_ledger(tmp_path) as ledger, a_stream(server, Patience()) as stream:
        ingest = Ingest(ledger, stream, (LANE, "judges"), (LANE, "judges"), WireLimits())
        sent = [msgspec.json.encode({"conversations": [wire_item(a_conversation(name))]}) for name in ("a", "b")]
        await ingest.ingest(sent[0], "application/json", PROJECT)
        disturb(server)

        async with asyncio.timeout(1):
            taken = await ingest.ingest(sent[1], "application/json", PROJECT)

        server.resume()
    assert [item.status for item in taken.answer.items] == ["accepted"]


async def test_a_frozen_redis_costs_readers_only_time(server: RedisServer, stream: RedisStream) -> None:
    async with reading(stream, "a", "b") as readers:
        await stream.append(LANE, keys_of(50))
        await readers.until_done(keys_of(50))

        server.pause()
        await readers.until_errors(4)
        server.resume()

        await append_insistently(stream, keys_of(100)[50:])
        await readers.until_done(keys_of(100))
        assert readers.came_again == set()


async def test_while_redis_is_full_appends_fail_and_what_is_there_is_worked_off(
    server: RedisServer, stream: RedisStream
) -> None:
    await stream.append(LANE, keys_of(4))
    first = await stream.read(LANE, "a", count=2, wait_seconds=1)
    await stream.release(LANE, first[:1], delay_seconds=0.01)
    server.ask("CONFIG SET maxmemory 1")

    with pytest.raises(BackendError, match="maxmemory"):
        await stream.append(LANE, keys_of(1))
    with pytest.raises(BackendError, match="maxmemory"):
        await stream.release(LANE, first[1:], delay_seconds=1)
    rest = await stream.read(LANE, "a", count=9, wait_seconds=1)
    claimed = await stream.claim(LANE, "b", count=9, idle_seconds=0)
    await stream.ack(LANE, claimed)

    assert read_keys(rest) == keys_of(4)[2:]
    assert read_keys(claimed) == keys_of(4)[1:]
    assert await stream.depth(LANE) == 1
    server.ask("CONFIG SET maxmemory 0")
    assert read_keys(await stream.read(LANE, "a", count=9, wait_seconds=5)) == keys_of(1)


async def test_a_redis_that_comes_up_after_us_is_used_as_soon_as_it_is_there(new_redis: NewRedis) -> None:
    server = new_redis()
    async with a_stream(server) as stream, reading(stream, "a") as readers:
        with pytest.raises(BackendError):
            await stream.append(LANE, keys_of(1))
        await readers.until_errors(3)

        server.start()

        await append_insistently(stream, keys_of(3))
        await readers.until_done(keys_of(3))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("other thing", "the entry has no field 'k'"),
        ("k short", "field 'k' has 5 bytes, not 22"),
        ("and more k short", "field 'k' has 5 bytes, not 22"),
    ],
)
async def test_a_poison_entry_is_buried_and_holds_up_nobody(
    server: RedisServer, stream: RedisStream, fields: str, reason: str
) -> None:
    await stream.append(LANE, keys_of(1))
    server.ask(f"XADD {STREAM} * {fields}")
    await stream.append(LANE, keys_of(2)[1:])

    taken = await stream.read(LANE, "a", count=9, wait_seconds=1)

    (letter,) = (await stream.list_dead(LANE, limit=9)).items
    assert read_keys(taken) == keys_of(2)
    assert letter.reason == reason
    assert await stream.depth(LANE) == 2


@pytest.mark.parametrize(
    "fields", ["k 0123456789012345{} and more", "and more k 0123456789012345{}", "k x k 0123456789012345{}"]
)
async def test_fields_that_a_later_version_adds_are_passed_over(
    server: RedisServer, stream: RedisStream, fields: str
) -> None:
    key = RevisionKey(b"0123456789012345", int.from_bytes(b"0001", "big"))
    server.ask(f"XADD {STREAM} * {fields.format('000100')}")
    tried_before = int.from_bytes(b"00", "big")

    (taken,) = await stream.read(LANE, "a", count=9, wait_seconds=1)
    (claimed,) = await stream.claim(LANE, "b", count=9, idle_seconds=0)
    await stream.release(LANE, [claimed], delay_seconds=0.01, tried=False)
    (again,) = await stream.read(LANE, "b", count=9, wait_seconds=5)
    await stream.bury(LANE, [again], "for a look")

    assert taken.revision_key == claimed.revision_key == again.revision_key == key
    assert [one.attempt - tried_before for one in (taken, claimed, again)] == [1, 2, 2]
    assert [one.revision_key for one in (await stream.list_dead(LANE, limit=9)).items] == [key]


@pytest.mark.parametrize("member", ["garbage", "1-1:garbage", "1-1:" + 90 * "x"])
async def test_garbage_among_what_waits_for_later_holds_up_nobody(
    server: RedisServer, stream: RedisStream, member: str
) -> None:
    server.ask(f"ZADD {STREAM}:delayed 0 {member}")
    (key,) = keys_of(1)
    await stream.append(LANE, [key])

    taken = await stream.read(LANE, "a", count=9, wait_seconds=1)
    taken += await stream.read(LANE, "a", count=9, wait_seconds=0.1)

    assert key in [one.revision_key for one in taken]
    await stream.ack(LANE, taken)
    assert await stream.depth(LANE) == 0


async def test_a_poison_entry_holds_up_nobody_while_redis_is_full(server: RedisServer, stream: RedisStream) -> None:
    server.ask(f"XADD {STREAM} * other thing")
    await stream.append(LANE, keys_of(1))
    server.ask("CONFIG SET maxmemory 1")

    taken = await stream.read(LANE, "a", count=9, wait_seconds=1)

    await stream.ack(LANE, taken)
    server.ask("CONFIG SET maxmemory 0")
    assert read_keys(taken) == keys_of(1)
    assert await stream.claim(LANE, "b", count=9, idle_seconds=0) == []
    assert len((await stream.list_dead(LANE, limit=9)).items) == 1


async def test_a_poison_entry_cannot_be_revived_but_dropped(server: RedisServer, stream: RedisStream) -> None:
    server.ask(f"XADD {STREAM} * other thing")
    await stream.read(LANE, "a", count=9, wait_seconds=0)
    (letter,) = (await stream.list_dead(LANE, limit=9)).items

    assert letter.revision_key is None
    assert await stream.revive(LANE, [letter.dead_id]) == 0
    assert await stream.drop_dead(LANE, [letter.dead_id]) == 1


async def test_of_two_who_claim_the_same_entry_one_gets_it(server: RedisServer) -> None:
    async with a_stream(server) as one, a_stream(server) as other:
        await one.append(LANE, keys_of(20))
        await one.read(LANE, "dead", count=20, wait_seconds=1)

        async def they_are_idle() -> bool:
            return "dead" in server.ask_all(f"XPENDING {STREAM} workers IDLE 200 - + 1 dead")

        await wait_until(they_are_idle)

        claims = await asyncio.gather(
            *(who.claim(LANE, name, count=20, idle_seconds=0.2) for who, name in ((one, "a"), (other, "b")))
        )

        assert sorted(read_keys([*claims[0], *claims[1]]), key=lambda key: key.revision) == keys_of(20)


async def test_what_was_given_back_for_later_survives_a_crash(server: RedisServer, stream: RedisStream) -> None:
    await stream.append(LANE, keys_of(2))
    taken = await stream.read(LANE, "a", count=9, wait_seconds=1)
    await stream.release(LANE, taken, delay_seconds=0.05)

    server.kill()
    server.start()

    await append_insistently(stream, keys_of(3)[2:])
    again: list[tuple[RevisionKey, int]] = []

    async def all_came() -> bool:
        again.extend((one.revision_key, one.attempt) for one in await stream.read(LANE, "a", count=9, wait_seconds=0.1))
        return len(again) == 3

    await wait_until(all_came)
    assert set(again) == {(keys_of(3)[0], 2), (keys_of(3)[1], 2), (keys_of(3)[2], 1)}
