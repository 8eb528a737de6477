"""How does a parent know that its child still does anything, and a child that it still has a parent?

By a pipe between the two, into which the child's event loop writes every second. When nothing comes for long, that loop
hangs, even though the process runs. When nobody can read any more, the parent is gone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from io import FileIO
from typing import Any

import structlog

log = structlog.get_logger()

BEAT_SECONDS = 1.0
START_SECONDS = 60.0
"""How long the first sign may take at least: before it, everything is imported."""
_MOST_BYTES = 1 << 16

Work = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Goes on until the event is set."""


async def under_parent(pipe: int | None, work: Work, *, beat_seconds: float = BEAT_SECONDS) -> None:
    """Do the work of a child, and give signs of life meanwhile; when the parent is gone, the work is told to stop.

    Args:
        pipe: number of the file that leads to the parent; None: there is none, and the work is simply done.
        work: what to do.
        beat_seconds: how often a sign is given.
    """
    stop = asyncio.Event()
    if pipe is None:
        await work(stop)
        return
    giving_signs = asyncio.create_task(_give_signs(pipe, stop, beat_seconds))
    try:
        await work(stop)
    finally:
        giving_signs.cancel()


async def _give_signs(pipe: int, stop: asyncio.Event, beat_seconds: float) -> None:
    os.set_inheritable(pipe, False)  # else what we start ourselves would speak for us
    with FileIO(pipe, "w") as parent:
        os.set_blocking(pipe, False)
        while True:
            try:
                parent.write(b".")  # where the pipe is full nobody has read for long, and nothing is written
            except BrokenPipeError:
                log.warning("parent.gone")
                stop.set()
                return
            await asyncio.sleep(beat_seconds)


async def until_silent(child: FileIO, most_seconds: float, *, beat_seconds: float = BEAT_SECONDS) -> None:
    """Return when a child has given no sign of life for `most_seconds`; with 0 never.

    What counts are the looks at which nothing had come. So nobody is taken for dead after both were frozen.
    """
    os.set_blocking(child.fileno(), False)
    most, silent = max(most_seconds, START_SECONDS), 0.0
    while not (most_seconds and silent >= most):
        await asyncio.sleep(beat_seconds)
        if child.read(_MOST_BYTES):
            most, silent = most_seconds, 0.0
        else:
            silent += beat_seconds
