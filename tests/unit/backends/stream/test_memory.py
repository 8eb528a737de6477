from __future__ import annotations

from healing_eval.backends.stream.memory import MemoryStream
from healing_eval.domain.revision import RevisionKey

KEY = RevisionKey(b"k" * 16, 1)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


async def test_only_what_was_idle_for_long_enough_is_claimed() -> None:
    clock = Clock()
    stream = MemoryStream(clock)
    await stream.append("checks", [KEY])
    await stream.read("checks", "a", count=1, wait_seconds=0)

    clock.seconds += 9
    early = await stream.claim("checks", "b", count=1, idle_seconds=10)
    clock.seconds += 1
    late = await stream.claim("checks", "b", count=1, idle_seconds=10)

    assert early == []
    assert [one.attempt for one in late] == [2]


async def test_what_was_released_comes_back_when_its_time_has_come() -> None:
    clock = Clock()
    stream = MemoryStream(clock)
    await stream.append("checks", [KEY])
    taken = await stream.read("checks", "a", count=1, wait_seconds=0)
    await stream.release("checks", taken, delay_seconds=5)

    clock.seconds += 4
    early = await stream.read("checks", "a", count=1, wait_seconds=0)
    clock.seconds += 1
    late = await stream.read("checks", "a", count=1, wait_seconds=0)

    assert early == []
    assert [one.revision_key for one in late] == [KEY]


async def test_what_was_acknowledged_after_it_had_been_released_does_not_come_back() -> None:
    stream = MemoryStream()
    await stream.append("checks", [KEY, RevisionKey(b"l" * 16, 1)])
    taken = await stream.read("checks", "a", count=2, wait_seconds=0)
    await stream.release("checks", taken, delay_seconds=0)

    await stream.ack("checks", taken[1:])

    again = await stream.read("checks", "a", count=2, wait_seconds=0)
    assert [one.revision_key for one in again] == [KEY]
