"""Does this count right what is spent? It does when a subclass of `SpendingContract` with a fixture `url` is green."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

import pytest

from healing_eval import plugins
from healing_eval.ports.spending import NANODOLLARS, Charge, Spending


class SpendingContract:
    """What everybody who counts must do."""

    @pytest.fixture
    async def spending(self, url: str) -> AsyncGenerator[Spending]:
        opened = cast("type[Spending]", plugins.load_for_url(plugins.SPENDING, url)).from_url(url)
        yield opened
        await opened.close()

    async def test_at_first_nothing_is_spent(self, spending: Spending) -> None:
        (spent,) = await spending.charge([Charge("b", "day")])

        assert (spent.nanodollars, spent.tokens) == (0, 0)

    async def test_what_is_charged_adds_up(self, spending: Spending) -> None:
        await spending.charge([Charge("b", "day", 7, 100)])

        (spent,) = await spending.charge([Charge("b", "day", 5, 1)])

        assert (spent.nanodollars, spent.tokens) == (12, 101)

    async def test_a_period_is_named_by_its_date(self, spending: Spending) -> None:
        day, month = await spending.charge([Charge("a", "day"), Charge("b", "month")])

        assert len(day.period) == len("2026-07-18")
        assert day.period.startswith(f"{month.period}-")

    async def test_of_one_budget_twice_each_answer_tells_all(self, spending: Spending) -> None:
        answers = await spending.charge([Charge("b", "day", 7), Charge("b", "day", 5), Charge("c", "day", 1)])

        assert [one.nanodollars for one in answers] == [12, 12, 1]

    async def test_what_was_too_much_is_taken_back_and_never_more_than_there_is(self, spending: Spending) -> None:
        await spending.charge([Charge("b", "day", 10, 10)])

        (less,) = await spending.charge([Charge("b", "day", -3, -4)])
        (none,) = await spending.charge([Charge("b", "day", -100, -100)])

        assert (less.nanodollars, less.tokens) == (7, 6)
        assert (none.nanodollars, none.tokens) == (0, 0)

    async def test_what_belongs_to_another_period_is_not_added(self, spending: Spending) -> None:
        (now,) = await spending.charge([Charge("b", "day", 10)])

        (same,) = await spending.charge([Charge("b", "day", 1, only_in=now.period)])
        (other,) = await spending.charge([Charge("b", "day", 100, only_in="1999-12-31")])

        assert (same.nanodollars, other.nanodollars) == (11, 11)

    async def test_however_large_or_small_nothing_is_rounded_away(self, spending: Spending) -> None:
        large = 1_000_000 * NANODOLLARS

        await spending.charge([Charge("b", "month", large, large)])
        (spent,) = await spending.charge([Charge("b", "month", 1, 1)])

        assert (spent.nanodollars, spent.tokens) == (large + 1, large + 1)

    async def test_of_many_at_once_none_is_lost(self, spending: Spending) -> None:
        await asyncio.gather(*(spending.charge([Charge("b", "day", 1, 2), Charge("c", "day", 3)]) for _ in range(64)))

        b, c = await spending.charge([Charge("b", "day"), Charge("c", "day")])
        assert (b.nanodollars, b.tokens, c.nanodollars) == (64, 128, 192)
