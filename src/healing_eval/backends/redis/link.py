"""How is a Redis asked, so that it costs no more time than we give it, and what does its silence mean?

The driver's own retries are off: they repeat an XADD that was applied while its answer was lost, and add up to minutes.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from healing_eval.backends.redis.address import Address
from healing_eval.errors import BackendError

T = TypeVar("T")

Part = str | bytes | int | float


class Script:
    """A program that Redis runs as one step. Everything it touches is named in its keys, all of one slot."""

    def __init__(self, text: str, keys: int) -> None:
        self.text = text
        self.keys = keys
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Link:
    """A pool of connections to one Redis, with one patience."""

    def __init__(self, address: Address, *, seconds: float, connections: int) -> None:
        """Connect later.

        Args:
            address: of the server.
            seconds: the most that one command may take, with waiting for a free connection and connecting.
            connections: the most that are open at once.
        """
        self._shown = address.shown
        self._seconds = seconds
        self._places = asyncio.Semaphore(connections)
        pool = ConnectionPool(
            max_connections=connections,
            socket_connect_timeout=seconds,
            # One deadline around the whole command instead: it bounds more, and costs a third of the CPU time.
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **address.connecting,
        )
        self._client = Redis.from_pool(pool)
        # Its own reading of answers makes dictionaries of what we take apart ourselves.
        self._client.response_callbacks.clear()
        self._execute = cast("Callable[..., Awaitable[Any]]", self._client.execute_command)  # pyright: ignore[reportUnknownMemberType]

    async def ask(self, *command: Part) -> Any:
        """Send one command and give the answer as it came: bytes, integers, lists.

        Raises:
            BackendError: no answer in time, or the answer is an error.
        """
        with self._failures_told():
            async with asyncio.timeout(self._seconds), self._places:
                return await self._execute(*command)

    async def ask_together(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        """Send many commands in one go and give their answers in order; each may be about another slot of a cluster.

        They are not one step: when some of them are refused, the others are done.

        Raises:
            BackendError: no answer in time, or one of the answers is an error.
        """
        with self._failures_told():
            async with asyncio.timeout(self._seconds), self._places, self._client.pipeline(transaction=False) as line:
                for command in commands:
                    line.execute_command(*command)  # pyright: ignore[reportUnknownMemberType]
                # An error the driver raises itself has the command in its text, which may be what people said.
                answers: list[Any] = await line.execute(raise_on_error=False)
            for answer in answers:
                if isinstance(answer, RedisError):
                    raise answer
        return answers

    @contextmanager
    def _failures_told(self) -> Generator[None]:
        try:
            yield
        except TimeoutError as error:
            raise BackendError(f"redis at {self._shown}: no answer within {self._seconds:g} s") from error
        except (RedisError, OSError, RuntimeError) as error:  # uvloop calls a connection that is gone a RuntimeError
            raise BackendError(f"redis at {self._shown}: {str(error) or type(error).__name__}") from error

    async def run(self, script: Script, *keys_and_arguments: Part) -> Any:
        """Run a script; Redis is told its text only when it does not know it, as after a restart.

        Raises:
            BackendError: as with `ask`.
        """
        try:
            return await self.ask("EVALSHA", script.sha, script.keys, *keys_and_arguments)
        except BackendError as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
        return await self.ask("EVAL", script.text, script.keys, *keys_and_arguments)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()


def refused(error: BackendError) -> str | None:
    """What the server answered instead of doing it; None if it was not reached or did not answer."""
    cause = error.__cause__
    return str(cause) if isinstance(cause, ResponseError) else None


class ShortCircuit:
    """Keeps callers from waiting, one after the other, for a server that has just failed to answer.

    For a while after a failure nobody is let through; then one is, and if that fails as well, the while begins anew.
    """

    def __init__(self, *, rest_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rest = rest_seconds
        self._clock = clock
        self._closed_until = 0.0
        self._failure: str | None = None

    async def guard(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the server, unless it failed to answer a moment ago or somebody is finding out whether it still does.

        Raises:
            BackendError: at once in these cases, else as `ask`.
        """
        if self._failure is not None:
            now = self._clock()
            if now < self._closed_until:
                raise BackendError(f"{self._failure} (a moment ago; not asked again yet)")
            self._closed_until = now + self._rest
        try:
            answer = await ask()
        except BackendError as error:
            if refused(error) is None:
                self._failure = str(error)
                self._closed_until = self._clock() + self._rest
            raise
        self._failure = None
        return answer
