"""How does a worker keep what it has in hand? It says so for as long as it lives, so that nobody takes it for dead.

It is said from the event loop and not from a thread: a process whose loop hangs holds nothing any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from healing_eval.errors import BackendError
from healing_eval.ports.stream import Delivery, Stream

log = structlog.get_logger()

TIMES = 3
"""How often it is said in the time after which others claim what is not held."""


async def hold(
    stream: Stream,
    lane: str,
    consumer: str,
    in_hand: Callable[[], Iterable[Delivery]],
    *,
    redeliver_after_seconds: float,
    again_seconds: float,
) -> None:
    """Hold what is in hand, until cancelled; what is settled sooner than the next look costs nothing.

    Args:
        stream: where it came from.
        lane: on which it came.
        consumer: in whose name it was taken.
        in_hand: tells what is in hand now.
        redeliver_after_seconds: when others claim what is not held.
        again_seconds: when to try again after the stream has failed, if that is sooner than the next look.
    """
    every = pause = redeliver_after_seconds / TIMES
    before: set[str] = set()
    while True:
        await asyncio.sleep(pause)
        now = list(in_hand())
        for_long = [one for one in now if one.message_id in before]
        before = {one.message_id for one in now}
        pause = every
        if for_long:
            try:
                await stream.hold(lane, consumer, for_long)
            except BackendError as error:
                log.warning("stream.cannot_hold", lane=lane, held=len(for_long), error=str(error))
                pause = min(every, again_seconds)
