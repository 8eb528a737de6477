"""Who may do what, in which project?

A key reads `he_<key id>_<secret>`. The id is public and finds the stored record; the secret has 256 random bits, and
only a hash of the whole text is stored. While the catalog has never held a key, everybody who reaches the server may do
everything, so it listens on loopback only.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec

from healing_eval.errors import AccessDenied, ConfigError, InvalidInput, NotFound
from healing_eval.ports.catalog import SCOPES, ApiKey, Catalog, Scope

DEFAULT_PROJECT = "default"
PROJECT_HEADER = "X-Healing-Eval-Project"
REMEMBER_SECONDS = 30.0
"""How long a key that was looked up is trusted; a revoked one is refused after this at the latest."""

_PREFIX = "he"
_HASH_BYTES = 32
_SECRET_BYTES = 32
_ID_BYTES = 6


class Principal(msgspec.Struct, frozen=True):
    """On whose behalf a request acts."""

    project: str
    scopes: tuple[Scope, ...]

    def require(self, *any_of: Scope) -> None:
        """Refuse what the key does not allow; any one of the scopes will do, and `admin` allows everything.

        Raises:
            AccessDenied: the key has none of the scopes.
        """
        if not {*any_of, "admin"} & set(self.scopes):
            held = ", ".join(self.scopes)
            raise AccessDenied(f"this needs the scope {' or '.join(any_of)}; the key has: {held}", authenticated=True)


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made."""

    text: str
    """What its owner sends. It is shown once and stored nowhere."""
    record: ApiKey


async def create_key(
    catalog: Catalog, *, project: str, scopes: Sequence[Scope], name: str = "", created_at: datetime
) -> NewKey:
    """Make a key and store its record.

    Raises:
        InvalidInput: no scope or an unknown one is named, or the project is blank.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise InvalidInput(f"expected scopes out of {', '.join(SCOPES)}, got {', '.join(unknown) or 'none'}")
    if not project.strip():
        raise InvalidInput("expected the name of a project, got a blank one")
    key_id = secrets.token_hex(_ID_BYTES)
    text = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    record = ApiKey(
        key_id=key_id,
        secret_hash=_hash(text),
        project=project,
        scopes=tuple(scope for scope in SCOPES if scope in scopes),
        name=name,
        created_at=created_at,
    )
    await catalog.add_key(record)
    return NewKey(text, record)


async def revoke_key(catalog: Catalog, key_id: str, *, at: datetime) -> None:
    """Make a key useless, from `REMEMBER_SECONDS` on at the latest.

    Raises:
        NotFound: there is no such key.
    """
    if await catalog.find_key(key_id) is None:
        raise NotFound(f"no API key has the id {key_id!r}")
    await catalog.revoke_key(key_id, at)


def check_binding(host: str, *, keys_exist: bool) -> None:
    """Refuse to listen where strangers can reach the server while everybody may do everything.

    Raises:
        ConfigError: the host is not loopback and there has never been a key.
    """
    if not keys_exist and not _is_loopback(host):
        raise ConfigError(
            f"{host!r} can be reached from other machines and there is no API key; make one first "
            "(healing-eval keys create --scope ingest --scope read) or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Access:
    """Tells who is asking."""

    def __init__(
        self, catalog: Catalog, *, project_characters: int = 256, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._catalog = catalog
        self._project_characters = project_characters
        self._clock = clock
        self._known: dict[str, tuple[float, ApiKey]] = {}
        self._open_until = float("-inf")
        self._locked = False

    async def authenticate(self, presented: str | None, project: str | None) -> Principal:
        """Find out on whose behalf a request acts.

        Args:
            presented: the text of the API key, None when the request has none.
            project: the project the request names; only a server without keys lets it choose.

        Raises:
            AccessDenied: the key is missing, unknown or revoked, or belongs to another project.
            InvalidInput: the project's name is blank or too long.
        """
        if presented is None:
            if await self._needs_key():
                raise AccessDenied(
                    "an API key is needed: send 'Authorization: Bearer he_…' or 'x-api-key: he_…'", authenticated=False
                )
            return Principal(self._project(project), SCOPES)
        record = await self._find(presented)
        if record is None:
            raise AccessDenied("the API key is unknown or revoked", authenticated=False)
        if project is not None and project != record.project:
            raise AccessDenied(
                f"the API key belongs to another project than {PROJECT_HEADER} names", authenticated=True
            )
        return Principal(record.project, record.scopes)

    def _project(self, name: str | None) -> str:
        if name is None:
            return DEFAULT_PROJECT
        if not name.strip() or len(name) > self._project_characters:
            raise InvalidInput(
                f"the header {PROJECT_HEADER} must name a project, in at most {self._project_characters} characters"
            )
        return name

    async def _needs_key(self) -> bool:
        """Tell whether there has ever been a key; once there was one, it stays so."""
        if not self._locked and self._clock() >= self._open_until:
            self._locked = bool(await self._catalog.list_keys())
            self._open_until = self._clock() + REMEMBER_SECONDS
        return self._locked

    async def _find(self, text: str) -> ApiKey | None:
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != _PREFIX or not key_id or not secret:
            return None
        record = await self._record(key_id)
        if record is None or record.revoked_at is not None:
            return None
        return record if hmac.compare_digest(record.secret_hash, _hash(text)) else None

    async def _record(self, key_id: str) -> ApiKey | None:
        """Look a record up; only existing ones are remembered, so strangers cannot fill the memory."""
        expires, record = self._known.get(key_id, (float("-inf"), None))
        if record is not None and self._clock() < expires:
            return record
        found = await self._catalog.find_key(key_id)
        if found is None:
            self._known.pop(key_id, None)
        else:
            self._known[key_id] = (self._clock() + REMEMBER_SECONDS, found)
        return found


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=_HASH_BYTES).digest()
