"""What becomes of remembered results when a real server is gone, hangs, is full, or has another schema?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from healing_eval.backends.cache.postgresql import PostgresqlCache
from healing_eval.backends.cache.redis import RedisCache
from healing_eval.backends.sql.cache import SWEPT_AT_ONCE
from healing_eval.backends.sql.migrate import HEAD, upgrade
from healing_eval.backends.sql.postgresql import PostgresqlDatabase
from healing_eval.errors import BackendError
from healing_eval.gateway.remembered import RememberedResults
from healing_eval.testing.contract_cache import key_of
from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.process import free_port
from healing_eval.testing.servers.redis import RedisServer

pytestmark = pytest.mark.services

NewRedis = Callable[..., RedisServer]
NewPostgresql = Callable[..., Postgresql]


@pytest.mark.parametrize(
    ("kind", "url"), [(RedisCache, "redis://:s3cret@127.0.0.1"), (PostgresqlCache, "postgresql://x:s3cret@127.0.0.1")]
)
async def test_a_server_that_is_not_there_is_an_error_that_tells_no_password(
    kind: type[RedisCache | PostgresqlCache], url: str
) -> None:
    cache = kind.from_url(f"{url}:{free_port()}/0")

    errors = [
        await asyncio.gather(cache.get([key_of("a")]), return_exceptions=True),
        await asyncio.gather(cache.put({key_of("a"): b"x"}, 60), return_exceptions=True),
    ]

    await cache.close()
    assert [type(error) for (error,) in errors] == [BackendError] * 2
    assert "s3cret" not in str(errors)


async def test_redis_is_there_again_when_it_is_and_answers_are_never_mixed_up(new_redis: NewRedis) -> None:
    server = new_redis(aof=None)
    server.start()
    cache = RedisCache.from_url(server.url)
    before = {key_of(number): b"%d" % number for number in range(100)}
    await cache.put(before, 60)
    server.pause()

    late = await asyncio.gather(*(cache.get(list(before)) for _ in range(4)), return_exceptions=True)
    server.resume()
    found = [list(await cache.get(keys)) for keys in (list(before), list(before)[::-1])]

    await cache.close()
    assert [type(error) for error in late] == [BackendError] * 4
    assert found == [list(before.values()), list(before.values())[::-1]]


async def test_a_redis_that_was_killed_is_found_again(new_redis: NewRedis) -> None:
    server = new_redis(aof=None)
    server.start()
    cache = RedisCache.from_url(server.url)
    await cache.put({key_of("a"): b"x"}, 60)
    server.kill()

    with pytest.raises(BackendError):
        await cache.get([key_of("a")])
    server.start()
    await cache.put({key_of("b"): b"y"}, 60)

    assert list(await cache.get([key_of("a"), key_of("b")])) == [None, b"y"]
    await cache.close()


async def test_a_redis_that_is_full_says_so_without_the_value_and_is_read_all_the_same(new_redis: NewRedis) -> None:
    server = new_redis(aof=None)
    server.start()
    cache = RedisCache.from_url(server.url)
    await cache.put({key_of("a"): b"x"}, 60)
    server.ask("CONFIG SET maxmemory 1")

    with pytest.raises(BackendError, match="maxmemory") as refused:
        await cache.put({key_of("b"): b"what people said", key_of("c"): b"what people said"}, 60)

    assert "people" not in str(refused.value)
    assert list(await cache.get([key_of("a"), key_of("b")])) == [b"x", None]
    await cache.close()


async def test_redis_forgets_by_itself(redis_server: RedisServer) -> None:
    cache = RedisCache.from_url(f"{redis_server.url}?prefix=forgetting")
    await cache.put({b"k" * 16: b"x"}, 60)

    left = int(redis_server.ask(f"PTTL forgetting:cache:{'k' * 16}").removeprefix(":"))

    await cache.close()
    assert 0 < left <= 60_000


async def test_a_postgresql_that_was_killed_is_found_again_with_all_it_kept(new_postgresql: NewPostgresql) -> None:
    server = new_postgresql(durable=True)
    server.start()
    url = server.new_database()
    await migrated(url, HEAD)
    cache = PostgresqlCache.from_url(url)
    await cache.put({key_of("a"): b"x"}, 60)
    server.kill()

    with pytest.raises(BackendError):
        await cache.get([key_of("a")])
    server.start()

    assert list(await cache.get([key_of("a")])) == [b"x"]
    await cache.close()


async def test_a_postgresql_that_hangs_costs_an_evaluator_a_bounded_wait_and_no_result(
    new_postgresql: NewPostgresql,
) -> None:
    server = new_postgresql()
    server.start()
    url = server.new_database()
    await migrated(url, HEAD)
    cache = PostgresqlCache.from_url(url)
    await cache.put({key_of("a"): b"x"}, 60)
    results = RememberedResults(cache, "hanging", 60, wait_seconds=0.2)
    server.sql(f"ALTER TABLE cached_results RENAME TO kept; CREATE VIEW cached_results AS {_SLOW}", database=_of(url))

    found = await results.get([key_of("a")])

    await cache.close()
    assert list(found) == [None]


_SLOW = "SELECT kept.* FROM kept, LATERAL (SELECT pg_sleep(60)) AS slow"


async def test_a_store_that_is_not_migrated_says_so(new_postgresql_url: str) -> None:
    cache = PostgresqlCache.from_url(new_postgresql_url)

    for version in (None, "0003"):
        if version is not None:
            await migrated(new_postgresql_url, version)
        with pytest.raises(BackendError, match="healing-eval migrate"):
            await cache.get([key_of("a")])
        with pytest.raises(BackendError, match="healing-eval migrate"):
            await cache.put({key_of("a"): b"x"}, 60)
    await migrated(new_postgresql_url, HEAD)
    await cache.put({key_of("a"): b"x"}, 60)

    assert list(await cache.get([key_of("a")])) == [b"x"]
    await cache.close()


async def test_what_has_had_its_time_is_removed_while_others_store_it_anew(
    postgresql: Postgresql, postgresql_url: str
) -> None:
    keys = [key_of(number) for number in range(SWEPT_AT_ONCE)]
    first = PostgresqlCache.from_url(postgresql_url)
    await first.put(dict.fromkeys(keys, b"old"), 0.001)
    await first.put({key_of("another"): b"old"}, 0.001)
    await first.close()
    others = [PostgresqlCache.from_url(postgresql_url) for _ in range(4)]

    await asyncio.gather(*(one.put(dict.fromkeys(keys[::2], b"new"), 60) for one in others))

    found = await others[0].get(keys)
    for one in others:
        await one.close()
    assert list(found) == [b"new", None] * (SWEPT_AT_ONCE // 2)
    assert postgresql.sql("SELECT count(*) FROM cached_results", database="prepared") == str(SWEPT_AT_ONCE // 2)


async def migrated(url: str, version: str) -> None:
    """Bring the schema to a version."""
    database = PostgresqlDatabase(url)
    async with database.patient() as connection:
        await connection.run_sync(upgrade, version)
    await database.close()


def _of(url: str) -> str:
    return url.rpartition("/")[2]
