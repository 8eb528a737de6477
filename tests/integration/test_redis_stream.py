"""What does the stream leave behind on a real Redis, and what does it tell the operator?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from healing_eval.backends.redis.address import read_address
from healing_eval.backends.stream.redis import Patience, RedisStream
from healing_eval.errors import ConfigError
from healing_eval.testing.contract_stream import keys_of, read_keys
from healing_eval.testing.servers.redis import RedisServer
from healing_eval.testing.waiting import wait_until

pytestmark = pytest.mark.services

LANE = "checks"
STREAM = "healing-eval:{checks}"
BATCH = 500


@pytest.fixture
def server(new_redis: Callable[..., RedisServer]) -> RedisServer:
    made = new_redis(aof=None)
    made.start()
    return made


@pytest.fixture
async def stream(server: RedisServer) -> AsyncIterator[RedisStream]:
    opened = RedisStream(read_address(server.url), Patience(consumer=0.05))
    await opened.open([LANE])
    yield opened
    await opened.close()


def used_memory(server: RedisServer) -> int:
    lines = server.ask_all("INFO memory").splitlines()
    return int(next(line for line in lines if line.startswith("used_memory:")).partition(":")[2])


async def process(stream: RedisStream, count: int) -> None:
    """Let as many messages through; one in fifty is given back once and buried and dropped the second time."""
    for _ in range(count // BATCH):
        await stream.append(LANE, keys_of(BATCH))
        taken = await stream.read(LANE, "a", count=BATCH, wait_seconds=1)
        await stream.release(LANE, taken[::50], delay_seconds=0.001)
        await stream.ack(LANE, [one for index, one in enumerate(taken) if index % 50])
        again = await stream.read(LANE, "a", count=BATCH, wait_seconds=1)
        await stream.bury(LANE, again, "a fault of ours")
    letters = (await stream.list_dead(LANE, limit=count)).items
    await stream.drop_dead(LANE, [letter.dead_id for letter in letters])


async def test_what_is_done_takes_no_memory(server: RedisServer, stream: RedisStream) -> None:
    await process(stream, 20_000)
    before = used_memory(server)

    await process(stream, 20_000)

    assert used_memory(server) - before < 20_000 * 5, "one that stays takes 20 times as much"
    assert server.ask(f"XLEN {STREAM}") == ":0"
    assert server.ask_all("KEYS *").splitlines()[:-1] == ["*1", f"${len(STREAM)}", STREAM]


async def test_consumers_that_are_gone_are_forgotten_once_they_hold_nothing(
    server: RedisServer, stream: RedisStream
) -> None:
    await stream.append(LANE, keys_of(1))
    for number in range(20):
        await stream.read(LANE, f"gone-{number}", count=1, wait_seconds=0)

    async def only_us() -> bool:
        for delivery in await stream.claim(LANE, "us", count=9, idle_seconds=0):
            await stream.ack(LANE, [delivery])
        consumers = server.ask_all(f"XINFO CONSUMERS {STREAM} workers")
        return "gone-" not in consumers

    await wait_until(only_us)


async def test_what_a_silent_consumer_still_holds_is_not_forgotten_with_it(
    server: RedisServer, stream: RedisStream
) -> None:
    await stream.append(LANE, keys_of(1))
    await stream.read(LANE, "holds", count=1, wait_seconds=0)
    await stream.read(LANE, "empty", count=1, wait_seconds=0)

    async def the_other_is_gone() -> bool:
        await stream.claim(LANE, "us", count=1, idle_seconds=3600)
        return "empty" not in server.ask_all(f"XINFO CONSUMERS {STREAM} workers")

    await wait_until(the_other_is_gone)

    assert read_keys(await stream.claim(LANE, "us", count=1, idle_seconds=0)) == keys_of(1)


async def test_who_closes_leaves_the_group(server: RedisServer) -> None:
    leaving = RedisStream.from_url(server.url)
    await leaving.open([LANE])
    await leaving.read(LANE, "a", count=1, wait_seconds=0)

    await leaving.close()

    assert server.ask(f"XINFO CONSUMERS {STREAM} workers") == "*0"


async def test_a_wrong_password_is_a_wrong_setting_and_is_not_shown(server: RedisServer) -> None:
    server.ask("CONFIG SET requirepass right")
    stream = RedisStream.from_url(server.url.replace("//", "//:wrong@"))

    with pytest.raises(ConfigError, match="refuses us") as refusal:
        await stream.open([LANE])

    await stream.close()
    assert "wrong@" not in str(refusal.value)


async def test_installations_share_a_redis_without_meeting(server: RedisServer, stream: RedisStream) -> None:
    other = RedisStream.from_url(f"{server.url}?prefix=elsewhere")
    await other.open([LANE])
    await other.append(LANE, keys_of(1))

    mine = await stream.read(LANE, "a", count=1, wait_seconds=0)

    await other.close()
    assert mine == []


async def test_lanes_of_any_name_keep_their_names_together(server: RedisServer, stream: RedisStream) -> None:
    name = "a}b{c d%"
    await stream.append(name, keys_of(2))
    taken = await stream.read(name, "a", count=2, wait_seconds=1)
    await stream.release(name, taken[:1], delay_seconds=3600)
    await stream.bury(name, taken[1:], "odd")

    names = [line for line in server.ask_all("KEYS *a*").splitlines() if line.startswith("healing-eval")]
    tags = {one[one.index("{") : one.index("}") + 1] for one in names if "%" in one}
    assert len(names) >= 3
    assert tags == {"{a%7Db%7Bc d%25}"}
