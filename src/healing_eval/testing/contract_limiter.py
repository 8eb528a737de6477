"""Is this limiter correct? It is when a subclass of `LimiterContract` with a fixture `url` is green.

Waits are told and not slept, so that nothing here takes time: a turn that is far away is as good as one that is near.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import cast

import pytest

from healing_eval import plugins
from healing_eval.ports.limiter import BURST_SECONDS, Limiter, Need, RateLimit

ONE_A_SECOND = RateLimit(requests_per_minute=60)
TEN_TOKENS_A_SECOND = RateLimit(tokens_per_minute=600)
SLACK_SECONDS = 5.0
"""How long a test may take on a busy machine without being wrong."""
CALL = Need(tokens=1)


class LimiterContract:
    """What every limiter must do."""

    @pytest.fixture
    async def limiter(self, url: str) -> AsyncGenerator[Limiter]:
        limiter = cast("type[Limiter]", plugins.load_for_url(plugins.LIMITER, url)).from_url(url)
        yield limiter
        await limiter.close()

    async def test_the_first_turn_comes_at_once(self, limiter: Limiter) -> None:
        turn = await limiter.reserve("m", ONE_A_SECOND, CALL, 0.0)

        assert (turn.granted, turn.wait_seconds) == (True, 0.0)

    async def test_turns_are_spaced_evenly(self, limiter: Limiter) -> None:
        waits = [(await limiter.reserve("m", ONE_A_SECOND, CALL, math.inf)).wait_seconds for _ in range(100)]

        assert all(before < after for before, after in pairwise(waits))
        assert 99 - BURST_SECONDS - SLACK_SECONDS < waits[-1] <= 99 - BURST_SECONDS

    async def test_of_many_who_ask_at_once_each_has_a_turn_of_its_own(self, limiter: Limiter) -> None:
        turns = await asyncio.gather(*(limiter.reserve("m", ONE_A_SECOND, CALL, math.inf) for _ in range(64)))

        waits = sorted(turn.wait_seconds for turn in turns)
        assert 63 - BURST_SECONDS - SLACK_SECONDS < waits[-1] <= 63 - BURST_SECONDS
        assert sum(waits) > 64 * 63 / 2 - 64 * SLACK_SECONDS

    async def test_what_would_wait_too_long_takes_no_turn(self, limiter: Limiter) -> None:
        for _ in range(61):
            await limiter.reserve("m", ONE_A_SECOND, CALL, math.inf)

        refused = [await limiter.reserve("m", ONE_A_SECOND, CALL, 1.0) for _ in range(50)]

        turn = await limiter.reserve("m", ONE_A_SECOND, CALL, math.inf)
        assert not any(one.granted for one in refused)
        assert all(61 - 2 * SLACK_SECONDS < one.wait_seconds <= 61 for one in refused)
        assert turn.wait_seconds <= 61

    async def test_tokens_are_limited_beside_requests(self, limiter: Limiter) -> None:
        both = RateLimit(requests_per_minute=60, tokens_per_minute=600)
        await limiter.reserve("m", both, Need(tokens=1000), math.inf)

        turn = await limiter.reserve("m", both, CALL, math.inf)

        assert 100 - BURST_SECONDS - SLACK_SECONDS < turn.wait_seconds <= 100 - BURST_SECONDS

    async def test_what_has_no_limit_never_waits(self, limiter: Limiter) -> None:
        turns = [await limiter.reserve("m", RateLimit(), Need(tokens=10**6), 0.0) for _ in range(10)]

        assert all(turn.granted and turn.wait_seconds == 0 for turn in turns)

    async def test_tokens_that_were_not_used_make_room(self, limiter: Limiter) -> None:
        await limiter.reserve("m", TEN_TOKENS_A_SECOND, Need(tokens=1000), math.inf)

        turn = await limiter.reserve("m", TEN_TOKENS_A_SECOND, Need(tokens=1, extra_tokens=-900), math.inf)

        assert 10 - BURST_SECONDS - SLACK_SECONDS < turn.wait_seconds <= 10 - BURST_SECONDS

    async def test_what_was_used_without_a_turn_is_counted_even_for_who_gets_none(self, limiter: Limiter) -> None:
        await limiter.reserve("m", ONE_A_SECOND, CALL, 0.0)

        refused = await limiter.reserve("m", ONE_A_SECOND, Need(tokens=1, extra_requests=50), 1.0)

        turn = await limiter.reserve("m", ONE_A_SECOND, CALL, math.inf)
        assert not refused.granted
        assert 51 - BURST_SECONDS - SLACK_SECONDS < turn.wait_seconds <= 51 - BURST_SECONDS

    async def test_nothing_is_saved_up_by_using_less_than_was_said(self, limiter: Limiter) -> None:
        await limiter.reserve("m", TEN_TOKENS_A_SECOND, Need(tokens=1, extra_tokens=-(10**6)), 0.0)

        await limiter.reserve("m", TEN_TOKENS_A_SECOND, Need(tokens=1000), math.inf)
        turn = await limiter.reserve("m", TEN_TOKENS_A_SECOND, CALL, math.inf)

        assert turn.wait_seconds > 100 - BURST_SECONDS - SLACK_SECONDS

    async def test_a_pause_holds_everybody_and_afterwards_turns_are_spaced_again(self, limiter: Limiter) -> None:
        await limiter.pause("m", 100.0)

        turns = [await limiter.reserve("m", ONE_A_SECOND, CALL, math.inf) for _ in range(11)]

        assert 100 - SLACK_SECONDS < turns[0].wait_seconds <= 100
        assert 110 - SLACK_SECONDS < turns[-1].wait_seconds <= 110

    async def test_a_shorter_pause_does_not_end_a_longer_one(self, limiter: Limiter) -> None:
        await limiter.pause("m", 100.0)
        await limiter.pause("m", 1.0)

        assert (await limiter.reserve("m", ONE_A_SECOND, CALL, math.inf)).wait_seconds > 100 - SLACK_SECONDS

    async def test_models_are_kept_apart(self, limiter: Limiter) -> None:
        await limiter.pause("{m}", 100.0)

        assert (await limiter.reserve("m", ONE_A_SECOND, CALL, 0.0)).granted
