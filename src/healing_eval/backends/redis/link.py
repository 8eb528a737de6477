"""How is a Redis asked, so that it costs no more time than we give it, and what does its silence mean?

The driver's own retries are off: they repeat an XADD that was applied while its answer was lost, and add up to minutes.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from healing_eval.backends.redis.address import Address
from healing_eval.errors import BackendError

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
            seconds: the most that connecting, waiting for a free connection, or one answer may take.
            connections: the most that are open at once.
        """
        self._shown = address.shown
        options: dict[str, Any] = {
            **address.connecting,
            "socket_timeout": seconds,
            "socket_connect_timeout": seconds,
            "socket_keepalive": True,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        }
        if "connection_class" in options and not issubclass(options["connection_class"], SSLConnection):
            options.pop("socket_keepalive")  # a socket in the file system knows none
        self._pool = BlockingConnectionPool(max_connections=connections, timeout=seconds, **options)
        self._client = Redis(connection_pool=self._pool)
        # Its own reading of answers makes dictionaries of what we take apart ourselves.
        self._client.response_callbacks.clear()

    async def ask(self, *command: Part) -> Any:
        """Send one command and give the answer as it came: bytes, integers, lists.

        Raises:
            BackendError: no answer in time, or the answer is an error.
        """
        try:
            return await self._client.execute_command(*command)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        except (RedisError, OSError, RuntimeError) as error:  # uvloop calls a connection that is gone a RuntimeError
            raise BackendError(f"redis at {self._shown}: {_told(error)}") from error

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
        await self._pool.disconnect()


def refused(error: BackendError) -> str | None:
    """What the server answered instead of doing it; None if it was not reached or did not answer."""
    cause = error.__cause__
    return str(cause) if isinstance(cause, ResponseError) else None


def _told(error: Exception) -> str:
    return str(cast("object", error)) or type(error).__name__


class ShortCircuit:
    """Keeps callers from waiting, one after the other, for a server that has just failed to answer.

    For a while after a failure nobody is let through; then one is, and if that fails as well, the while begins anew.
    """

    def __init__(self, *, rest_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rest = rest_seconds
        self._clock = clock
        self._closed_until = 0.0
        self._failure: str | None = None

    def enter(self) -> None:
        """Let a caller through.

        Raises:
            BackendError: the server failed a moment ago, or somebody is finding out whether it still does.
        """
        if self._failure is None:
            return
        now = self._clock()
        if now < self._closed_until:
            raise BackendError(f"{self._failure} (a moment ago; not asked again yet)")
        self._closed_until = now + self._rest

    def failed(self, error: BackendError) -> None:
        """Remember that the server did not answer."""
        self._failure = str(error)
        self._closed_until = self._clock() + self._rest

    def answered(self) -> None:
        """Remember that it does."""
        self._failure = None


async def ask_quickly(link: Link, circuit: ShortCircuit, seconds: float, script: Script, *parts: Part) -> Any:
    """Run a script for somebody who cannot wait.

    Raises:
        BackendError: within `seconds`, and at once while the server is known not to answer.
    """
    circuit.enter()
    try:
        async with asyncio.timeout(seconds):
            answer = await link.run(script, *parts)
    except TimeoutError as error:
        late = BackendError(f"redis did not answer within {seconds:g} s")
        circuit.failed(late)
        raise late from error
    except BackendError as error:
        if refused(error) is None:
            circuit.failed(error)
        raise
    circuit.answered()
    return answer
