"""Who keeps projects and API keys, on any SQL database?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import insert, select, update

from healing_eval.backends.sql.engine import Database
from healing_eval.backends.sql.tables import api_keys
from healing_eval.errors import NotFound
from healing_eval.ports.catalog import ApiKey, Scope


class SqlCatalog:
    """A `Catalog` on SQLAlchemy Core."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def add_key(self, key: ApiKey) -> None:
        async with self._database.write() as connection:
            await connection.execute(insert(api_keys), [{**msgspec.structs.asdict(key), "scopes": list(key.scopes)}])

    async def find_key(self, key_id: str) -> ApiKey | None:
        async with self._database.look() as connection:
            row = (await connection.execute(select(api_keys).where(api_keys.c.key_id == key_id))).first()
        return None if row is None else _read(row)

    async def list_keys(self) -> list[ApiKey]:
        async with self._database.look() as connection:
            rows = await connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.key_id))
            return [_read(row) for row in rows]

    async def revoke_key(self, key_id: str, at: datetime) -> None:
        async with self._database.write() as connection:
            known = await connection.execute(select(api_keys.c.key_id).where(api_keys.c.key_id == key_id))
            if known.first() is None:
                raise NotFound(f"no API key {key_id!r}")
            # The first revocation counts.
            unrevoked = (api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
            await connection.execute(update(api_keys).where(*unrevoked).values(revoked_at=at))


def _read(row: Any) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        secret_hash=row.secret_hash,
        project=row.project,
        scopes=msgspec.convert(row.scopes, tuple[Scope, ...]),
        name=row.name,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
