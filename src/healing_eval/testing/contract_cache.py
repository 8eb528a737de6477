"""Is this cache correct? It is when a subclass of `CacheContract` with a fixture `url` is green."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from typing import cast

import pytest

from healing_eval import plugins
from healing_eval.ports.cache import Cache
from healing_eval.testing.waiting import wait_until

LONG = 3600.0
SHORT = 0.05
LONGEST = 100 * 365.0 * 86_400
EVERY_BYTE = bytes(range(256))


def key_of(name: object) -> bytes:
    """Make a key as whoever asks does."""
    return hashlib.blake2b(str(name).encode(), digest_size=16).digest()


class CacheContract:
    """What every cache must do."""

    @pytest.fixture
    async def cache(self, url: str) -> AsyncGenerator[Cache]:
        cache = cast("type[Cache]", plugins.load_for_url(plugins.CACHE, url)).from_url(url)
        yield cache
        await cache.close()

    async def test_what_nobody_stored_is_not_there(self, cache: Cache) -> None:
        assert list(await cache.get([key_of("a"), key_of("b")])) == [None, None]

    async def test_what_was_stored_is_there(self, cache: Cache) -> None:
        await cache.put({key_of("a"): b"of a"}, LONG)

        assert list(await cache.get([key_of("a")])) == [b"of a"]

    async def test_there_is_one_answer_for_each_key_in_their_order(self, cache: Cache) -> None:
        names = [f"name {number}" for number in range(1000)]
        await cache.put({key_of(name): name.encode() for name in names[::2]}, LONG)

        found = await cache.get([key_of(name) for name in reversed(names)])

        expected = {name: name.encode() for name in names[::2]}
        assert list(found) == [expected.get(name) for name in reversed(names)]

    async def test_who_asks_twice_for_one_key_is_answered_twice(self, cache: Cache) -> None:
        await cache.put({key_of("a"): b"of a"}, LONG)

        found = await cache.get([key_of("a"), key_of("b"), key_of("a")])

        assert list(found) == [b"of a", None, b"of a"]

    async def test_who_asks_for_nothing_is_given_nothing(self, cache: Cache) -> None:
        await cache.put({}, LONG)

        assert list(await cache.get([])) == []

    async def test_the_last_one_stored_counts(self, cache: Cache) -> None:
        await cache.put({key_of("a"): b"first", key_of("b"): b"of b"}, LONG)
        await cache.put({key_of("a"): b"second", key_of("c"): b"of c"}, LONG)

        found = await cache.get([key_of("a"), key_of("b"), key_of("c")])

        assert list(found) == [b"second", b"of b", b"of c"]

    async def test_keys_and_values_may_hold_any_byte(self, cache: Cache) -> None:
        keys = [EVERY_BYTE[start : start + 32] for start in range(0, 256, 32)]
        await cache.put(dict.fromkeys(keys, EVERY_BYTE * 2), LONG)

        assert list(await cache.get(keys)) == [EVERY_BYTE * 2] * len(keys)

    async def test_a_value_may_be_empty(self, cache: Cache) -> None:
        await cache.put({key_of("a"): b""}, LONG)

        assert list(await cache.get([key_of("a")])) == [b""]

    async def test_values_may_be_large(self, cache: Cache) -> None:
        large = {key_of(number): bytes([number]) * 1_000_000 for number in range(8)}
        await cache.put(large, LONG)

        assert list(await cache.get(list(large))) == list(large.values())

    async def test_what_has_had_its_time_is_gone_and_what_has_not_stays(self, cache: Cache) -> None:
        await cache.put({key_of("long"): b"stays"}, LONG)
        await cache.put({key_of("short"): b"goes"}, SHORT)

        await self.until_gone(cache, "short")

        assert list(await cache.get([key_of("short"), key_of("long")])) == [None, b"stays"]

    async def test_what_is_stored_again_has_its_time_anew(self, cache: Cache) -> None:
        await cache.put({key_of("a"): b"first", key_of("b"): b"of b"}, SHORT)
        await cache.put({key_of("a"): b"second"}, LONG)

        await self.until_gone(cache, "b")

        assert list(await cache.get([key_of("a")])) == [b"second"]

    async def test_what_has_had_its_time_can_be_stored_again(self, cache: Cache) -> None:
        await cache.put({key_of("a"): b"first"}, SHORT)
        await self.until_gone(cache, "a")

        await cache.put({key_of("a"): b"second"}, LONG)

        assert list(await cache.get([key_of("a")])) == [b"second"]

    async def test_a_hundred_years_are_not_too_long(self, cache: Cache) -> None:
        await cache.put({key_of("a"): b"of a"}, LONGEST)

        assert list(await cache.get([key_of("a")])) == [b"of a"]

    async def test_of_many_who_store_the_same_at_once_one_counts_and_none_fails(self, cache: Cache) -> None:
        keys = [key_of(number) for number in range(50)]
        turned = [keys if number % 2 else keys[::-1] for number in range(16)]

        await asyncio.gather(
            *(cache.put(dict.fromkeys(order, b"%d" % number), LONG) for number, order in enumerate(turned))
        )

        found = await cache.get(keys)
        assert {int(value) for value in found if value is not None} <= set(range(16))
        assert None not in found

    async def until_gone(self, cache: Cache, name: str) -> None:
        """Ask until nothing is kept under a name any more."""

        async def is_gone() -> bool:
            return list(await cache.get([key_of(name)])) == [None]

        await wait_until(is_gone)
