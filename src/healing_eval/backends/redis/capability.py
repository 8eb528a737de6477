"""What can this Redis do? Asked once for each pool of connections, for versions differ."""

from __future__ import annotations

from redis.exceptions import AuthenticationError

from healing_eval.backends.redis.link import Link, refused
from healing_eval.errors import BackendError, ConfigError

NEEDED = "XAUTOCLAIM"
REMOVES = "XACKDEL"


class Capabilities:
    """Which commands a server knows."""

    def __init__(self, link: Link, shown: str) -> None:
        self._link = link
        self._shown = shown
        self._removes: bool | None = None

    async def check(self) -> None:
        """Ask for what we need.

        Raises:
            ConfigError: the server refuses us, or is too old.
            BackendError: it does not answer now.
        """
        here = f"setting 'stream_url': redis at {self._shown}"
        try:
            needed, removes = await self._link.ask("COMMAND", "INFO", NEEDED, REMOVES)
        except BackendError as error:
            if isinstance(error.__cause__, AuthenticationError) or _refuses_us(refused(error)):
                raise ConfigError(f"{here} refuses us: {error.__cause__}") from error
            raise
        if not needed:
            raise ConfigError(f"{here} is too old: it has no {NEEDED}; 6.2 or newer is needed")
        self._removes = bool(removes)

    async def program(self) -> str:
        """Name the program and its version, as far as we may know.

        Raises:
            BackendError: it does not answer now.
        """
        try:
            told: str = (await self._link.ask("INFO", "server")).decode(errors="replace")
        except BackendError as error:
            if refused(error) is None:
                raise
            return "a Redis whose version we may not ask"
        fields = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
        if "valkey_version" in fields:
            return f"Valkey {fields['valkey_version']}"
        return f"Redis {fields.get('redis_version', 'of an unknown version')}"

    async def removes_at_once(self) -> bool:
        """Whether one command of its own acknowledges and removes (Redis 8.2).

        Raises:
            BackendError: it cannot be found out now.
        """
        if self._removes is None:
            try:
                await self.check()
            except ConfigError as error:  # we are past the start, and somebody may be mending it
                raise BackendError(str(error)) from error
        return bool(self._removes)


def _refuses_us(answer: str | None) -> bool:
    return answer is not None and answer.startswith(_REFUSALS)


_REFUSALS = (
    *("NOAUTH", "WRONGPASS", "NOPERM"),
    *("DB index is out of range", "value is out of range", "SELECT is not allowed in cluster mode"),  # the database
)
