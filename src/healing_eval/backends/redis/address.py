"""Which Redis is meant, and under which names is everything of ours kept there?"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from redis.asyncio.connection import parse_url

from healing_eval.errors import ConfigError
from healing_eval.masking import masked

PREFIX = "healing-eval"


class Address(NamedTuple):
    """What a URL says."""

    connecting: dict[str, Any]
    """Arguments of a connection."""
    prefix: str
    """First part of every name we use, so that several installations can share a server."""
    shown: str
    """The address as it may be shown, without a password."""


def read_address(url: str, setting: str = "stream_url") -> Address:
    """Read `redis://[user:password@]host[:port][/database][?prefix=…]`; `rediss://` takes `ssl_…` options as well.

    Args:
        url: the address.
        setting: the name of the setting it stands in, for the error.

    Raises:
        ConfigError: it is no such address.
    """
    parts = urlsplit(url)
    shown = str(masked(url))
    try:
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
        prefix = options.pop("prefix", PREFIX)
        unknown = [name for name in options if not (name.startswith("ssl_") and parts.scheme == "rediss")]
        if unknown:
            raise ValueError(f"unknown option {unknown[0]!r}; known: prefix, and ssl_… with rediss://")
        (parts.hostname or "").encode("idna")
        database = parts.path.strip("/")
        if database and not database.isdecimal():
            raise ValueError(f"the database must be a number, got {database!r}")
        query = parts.query if options else ""
        connecting = dict(parse_url(urlunsplit(parts._replace(query=query))))
    except ValueError as error:
        raise ConfigError(
            f"setting {setting!r}: {shown!r} is no address of a Redis: {error}; expected redis://[user:password@]host[:port][/database]"
        ) from error
    connecting.pop("prefix", None)
    return Address(connecting, prefix, shown)


def tagged(prefix: str, name: str) -> str:
    """Make the first part of names that belong together: the braces keep them in one slot of a cluster.

    What a cluster hashes is between the first brace and the next closing one, so names may hold none.
    """
    plain = name.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
    return f"{prefix}:{{{plain}}}"
