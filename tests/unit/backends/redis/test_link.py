from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ResponseError

from healing_eval.backends.redis.link import ShortCircuit
from healing_eval.backends.redis.outbox import Outbox
from healing_eval.errors import BackendError


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Server:
    """Counts how often it is asked, and fails when told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.fault: Exception | None = None

    async def __call__(self) -> str:
        self.asked += 1
        if self.fault is not None:
            raise BackendError("redis at example") from self.fault
        return "yes"


async def test_after_a_failure_nobody_waits_until_one_finds_out() -> None:
    clock, server = Clock(), Server()
    circuit = ShortCircuit(rest_seconds=1.0, clock=clock)
    server.fault = OSError("refused")
    for _ in range(3):
        with pytest.raises(BackendError):
            await circuit.guard(server)
    asked_at_first = server.asked

    clock.seconds += 1.0
    server.fault = None

    assert asked_at_first == 1
    assert await circuit.guard(server) == "yes"
    assert await circuit.guard(server) == "yes"


async def test_a_server_that_refuses_is_asked_again_at_once() -> None:
    server = Server()
    circuit = ShortCircuit(rest_seconds=1.0, clock=Clock())
    server.fault = ResponseError("OOM")

    for _ in range(2):
        with pytest.raises(BackendError):
            await circuit.guard(server)

    assert server.asked == 2


class Wire:
    """Takes one sending at a time, when it is let."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.may_go = asyncio.Event()
        self.fault: BackendError | None = None

    async def __call__(self, messages: bytes) -> None:
        await self.may_go.wait()
        if self.fault is not None:
            raise self.fault
        self.sent.append(messages)


async def test_what_arrives_while_something_is_on_its_way_travels_together() -> None:
    wire = Wire()
    outbox = Outbox(wire)
    putting = [asyncio.create_task(outbox.put(part)) for part in (b"a", b"b", b"c")]
    await asyncio.sleep(0)

    late = asyncio.create_task(outbox.put(b"d"))
    await asyncio.sleep(0)
    wire.may_go.set()
    await asyncio.gather(*putting, late)

    assert b"".join(wire.sent) == b"abcd"
    assert len(wire.sent) == 2


async def test_everybody_in_a_batch_is_told_that_it_failed() -> None:
    wire = Wire()
    outbox = Outbox(wire)
    wire.fault = BackendError("redis at example")
    wire.may_go.set()

    answers = await asyncio.gather(*(outbox.put(b"a") for _ in range(3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [BackendError] * 3


async def test_who_is_cancelled_keeps_nobody_from_being_served() -> None:
    wire = Wire()
    outbox = Outbox(wire)
    first, second = (asyncio.create_task(outbox.put(part)) for part in (b"a", b"b"))
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.wait([first])
    wire.may_go.set()
    await second

    assert wire.sent == [b"ab"]


async def test_who_waits_when_it_is_closed_is_told() -> None:
    wire = Wire()
    outbox = Outbox(wire)
    on_its_way = asyncio.create_task(outbox.put(b"a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting = asyncio.create_task(outbox.put(b"b"))
    await asyncio.sleep(0)

    await outbox.close()

    answers = await asyncio.gather(on_its_way, waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [BackendError] * 2
