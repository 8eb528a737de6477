"""How does one command run several processes of itself?

The parent starts them, starts again what crashes or hangs, passes on the word to stop, and ends when all have ended. A
child whose parent is gone stops by itself, so that nothing is left behind by a `kill -9`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO

import click
import structlog

from healing_eval.cli.alive import until_silent
from healing_eval.cli.loops import groups_unwrapped

log = structlog.get_logger()

STOP_SECONDS = 30.0
"""How long a child may take to finish what is in hand, before it is killed."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
LIVED_LONG_SECONDS = 60.0
"""A child that ran for so long is started again at once; what crashes at once is started again ever later."""
STARTING_SECONDS = 3.0
"""A child that ends within this time with an error never worked: its settings are wrong, and so are the others'."""


async def run_processes(commands: Sequence[Sequence[str]], stop: asyncio.Event, *, hung_after_seconds: float) -> None:
    """Run each command in a process of its own until `stop` is set.

    Args:
        commands: each the arguments of `healing-eval`; it gets `--parent` besides, the number of a file to write signs
            of life to.
        stop: the word to stop.
        hung_after_seconds: how long a process may give no sign of life before it is killed; 0: for ever.

    Raises:
        Exit: one of them could not start, and has said why itself; with its exit code. The others are stopped.
    """
    with groups_unwrapped():
        async with asyncio.TaskGroup() as group:
            for command in commands:
                group.create_task(_keep_running(command, stop, hung_after_seconds))


async def _keep_running(command: Sequence[str], stop: asyncio.Event, hung_after_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    pause = FIRST_PAUSE_SECONDS
    never_worked = True
    while not stop.is_set():
        started = loop.time()
        code = await _run_once(command, stop, hung_after_seconds)
        if stop.is_set():
            return
        lived = loop.time() - started
        if never_worked and lived < STARTING_SECONDS and code > 0:  # below 0 is a signal, and settings are not at fault
            stop.set()
            raise click.exceptions.Exit(code)
        never_worked = False
        pause = FIRST_PAUSE_SECONDS if lived > LIVED_LONG_SECONDS else min(2 * pause, LONGEST_PAUSE_SECONDS)
        log.error("process.ended", command=" ".join(command), code=code, again_in_seconds=pause)
        await _wait_for(stop, pause)


async def _run_once(command: Sequence[str], stop: asyncio.Event, hung_after_seconds: float) -> int:
    """Run a child to its end, or to ours; returns its exit code."""
    heard, told = os.pipe()
    with FileIO(heard) as signs:
        with FileIO(told, "w"):  # the child has its own; ours is closed, so that the pipe ends with the child's
            program = (sys.executable, "-m", "healing_eval.cli.main", *command, "--parent", str(told))
            child = await asyncio.create_subprocess_exec(*program, pass_fds=[told])
        ended = asyncio.create_task(child.wait())
        stopped = asyncio.create_task(stop.wait())
        silent = asyncio.create_task(until_silent(signs, hung_after_seconds))
        try:
            await asyncio.wait([ended, stopped, silent], return_when=asyncio.FIRST_COMPLETED)
            if silent.done() and not ended.done():
                log.error("process.hung", command=" ".join(command), pid=child.pid, silent_seconds=hung_after_seconds)
                child.kill()
                await ended
        finally:
            stopped.cancel()
            silent.cancel()
            if not ended.done():
                await _end(child, ended)
    return ended.result()


async def _end(child: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    child.send_signal(signal.SIGTERM)
    done, _ = await asyncio.wait([ended], timeout=STOP_SECONDS)
    if not done:
        log.error("process.killed", pid=child.pid, after_seconds=STOP_SECONDS)
        child.kill()
        await ended


async def _wait_for(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
