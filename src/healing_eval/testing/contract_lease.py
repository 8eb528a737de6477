"""Is this lease correct? It is when a subclass of `LeaseContract` with a fixture `url` is green."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

import pytest

from healing_eval import plugins
from healing_eval.ports.lease import Lease
from healing_eval.testing.waiting import wait_until

LONG = 3600.0
SHORT = 0.05


class LeaseContract:
    """What every lease must do."""

    @pytest.fixture
    async def lease(self, url: str) -> AsyncGenerator[Lease]:
        lease = cast("type[Lease]", plugins.load_for_url(plugins.LEASE, url)).from_url(url)
        yield lease
        await lease.close()

    async def test_one_holder_at_a_time(self, lease: Lease) -> None:
        first = await lease.acquire("sweep", "a", LONG)

        second = await lease.acquire("sweep", "b", LONG)

        assert first is not None
        assert second is None

    async def test_names_are_kept_apart(self, lease: Lease) -> None:
        await lease.acquire("sweep", "a", LONG)

        assert await lease.acquire("fold", "b", LONG) is not None

    async def test_of_many_who_ask_at_once_one_gets_it(self, lease: Lease) -> None:
        answers = await asyncio.gather(*(lease.acquire("sweep", f"holder {number}", LONG) for number in range(16)))

        assert sum(token is not None for token in answers) == 1

    async def test_a_holder_that_asks_again_keeps_its_token(self, lease: Lease) -> None:
        first = await lease.acquire("sweep", "a", LONG)

        assert await lease.acquire("sweep", "a", LONG) == first

    async def test_what_is_given_back_is_free_and_the_next_token_is_larger(self, lease: Lease) -> None:
        first = await lease.acquire("sweep", "a", LONG)
        assert first is not None

        released = await lease.release("sweep", first)

        second = await lease.acquire("sweep", "b", LONG)
        assert released
        assert second is not None
        assert second > first

    async def test_what_runs_out_is_free_and_the_next_token_is_larger(self, lease: Lease) -> None:
        first = await lease.acquire("sweep", "a", SHORT)
        assert first is not None

        second = await self.acquire_in_time(lease, "b")

        assert second > first

    async def test_a_token_that_ran_out_neither_renews_nor_releases(self, lease: Lease) -> None:
        first = await lease.acquire("sweep", "a", SHORT)
        assert first is not None
        second = await self.acquire_in_time(lease, "b")

        late = await lease.renew("sweep", first, LONG), await lease.release("sweep", first)

        assert late == (False, False)
        assert await lease.renew("sweep", second, LONG)

    async def test_what_is_renewed_outlives_its_first_time(self, lease: Lease) -> None:
        token = await lease.acquire("sweep", "a", SHORT)
        assert token is not None
        renewed = await lease.renew("sweep", token, LONG)
        await lease.acquire("another", "a", SHORT)

        await self.acquire_in_time(lease, "b", "another")

        assert renewed
        assert await lease.acquire("sweep", "b", LONG) is None

    async def test_nobody_renews_or_releases_what_is_free(self, lease: Lease) -> None:
        token = await lease.acquire("sweep", "a", LONG)
        assert token is not None
        await lease.release("sweep", token)

        assert not await lease.release("sweep", token)
        assert not await lease.renew("sweep", token, LONG)

    async def acquire_in_time(self, lease: Lease, holder: str, name: str = "sweep") -> int:
        """Ask until the other's time has run out."""
        granted: list[int] = []

        async def holds() -> bool:
            token = await lease.acquire(name, holder, LONG)
            granted.extend([] if token is None else [token])
            return bool(granted)

        await wait_until(holds)
        return granted[0]
