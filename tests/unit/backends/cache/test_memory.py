from __future__ import annotations

import gc
import tracemalloc

from healing_eval.backends.cache.memory import ENTRY_BYTES, MemoryCache
from healing_eval.testing.contract_cache import key_of

OF_ONE = 16 + 100 + ENTRY_BYTES
VALUE = b"v" * 100


def with_room_for(entries: int) -> MemoryCache:
    return MemoryCache(most_bytes=entries * OF_ONE)


async def kept(cache: MemoryCache, names: str) -> str:
    found = await cache.get([key_of(name) for name in names])
    return "".join(name for name, value in zip(names, found, strict=True) if value is not None)


async def test_when_it_is_full_what_was_not_asked_for_the_longest_goes() -> None:
    cache = with_room_for(3)
    for name in "abc":
        await cache.put({key_of(name): VALUE}, 60)

    await cache.get([key_of("a")])
    await cache.put({key_of("d"): VALUE}, 60)

    assert await kept(cache, "abcd") == "acd"


async def test_what_is_replaced_makes_room() -> None:
    cache = with_room_for(3)
    for name in "aaabac":
        await cache.put({key_of(name): VALUE}, 60)

    assert await kept(cache, "abc") == "abc"


async def test_what_has_had_its_time_makes_room() -> None:
    now = [100.0]
    cache = MemoryCache(3 * OF_ONE, clock=lambda: now[0])
    await cache.put({key_of("a"): VALUE}, 60)
    await cache.put({key_of("b"): VALUE, key_of("c"): VALUE}, 10)

    now[0] += 10
    gone = await kept(cache, "bc")
    await cache.put({key_of("d"): VALUE, key_of("e"): VALUE}, 60)

    assert gone == ""
    assert await kept(cache, "ade") == "ade"


async def test_what_is_larger_than_all_the_room_drives_out_nobody_but_what_it_replaces() -> None:
    cache = with_room_for(2)
    await cache.put({key_of("a"): VALUE, key_of("b"): VALUE}, 60)

    await cache.put({key_of("b"): bytes(2 * OF_ONE)}, 60)

    assert await kept(cache, "ab") == "a"


async def test_it_takes_no_more_of_the_memory_than_it_may() -> None:
    cache = MemoryCache(most_bytes=2_000_000)
    gc.collect()
    tracemalloc.start()

    for number in range(40_000):
        await cache.put({key_of(number): b"%d" % number}, 60)

    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken <= 2_000_000
