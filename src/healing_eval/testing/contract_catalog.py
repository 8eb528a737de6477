"""Is this catalog correct? It is when a subclass of `CatalogContract` with a fixture `url` is green."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from healing_eval import plugins
from healing_eval.errors import BackendError, NotFound
from healing_eval.ports.catalog import SCOPES, ApiKey, Catalog, Scope

NOW = datetime(2024, 5, 17, 12, 30, 0, 123456, tzinfo=UTC)


def an_api_key(key_id: str = "k-1", *, scopes: tuple[Scope, ...] = SCOPES, age: timedelta = timedelta(0)) -> ApiKey:
    """Make a key as it is stored."""
    return ApiKey(
        key_id=key_id,
        secret_hash=bytes(range(32)),
        project="pro'ject ☃",
        scopes=scopes,
        name="the café's",
        created_at=NOW - age,
    )


class CatalogContract:
    """What every catalog must do."""

    @pytest.fixture
    async def catalog(self, url: str) -> AsyncGenerator[Catalog]:
        catalog = cast("type[Catalog]", plugins.load_for_url(plugins.CATALOG, url)).from_url(url)
        await catalog.open()
        yield catalog
        await catalog.close()

    async def test_a_key_is_found_as_it_was_stored(self, catalog: Catalog) -> None:
        key = an_api_key(scopes=("read", "ingest"))

        await catalog.add_key(key)

        assert await catalog.find_key("k-1") == key
        assert await catalog.find_key("k-2") is None

    async def test_keys_are_listed_oldest_first(self, catalog: Catalog) -> None:
        for key_id, days in (("new", 0), ("old", 2), ("middle", 1)):
            await catalog.add_key(an_api_key(key_id, age=timedelta(days=days)))

        assert [key.key_id for key in await catalog.list_keys()] == ["old", "middle", "new"]

    async def test_a_revoked_key_is_still_found_and_keeps_its_first_revocation(self, catalog: Catalog) -> None:
        await catalog.add_key(an_api_key())

        await catalog.revoke_key("k-1", NOW)
        await catalog.revoke_key("k-1", NOW + timedelta(days=1))

        found = await catalog.find_key("k-1")
        assert found is not None
        assert found.revoked_at == NOW

    async def test_a_key_that_does_not_exist_cannot_be_revoked(self, catalog: Catalog) -> None:
        with pytest.raises(NotFound, match="'k-9'"):
            await catalog.revoke_key("k-9", NOW)

    async def test_two_keys_cannot_have_one_id(self, catalog: Catalog) -> None:
        await catalog.add_key(an_api_key())

        with pytest.raises(BackendError):
            await catalog.add_key(an_api_key())

    async def test_keys_are_there_after_opening_again(self, catalog: Catalog, url: str) -> None:
        await catalog.add_key(an_api_key())
        await catalog.close()

        again = type(catalog).from_url(url)
        await again.open()

        assert await again.list_keys() == [an_api_key()]
        await again.close()
