"""Is every question answered once, wherever whoever sees to the batches dies?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest
from tests.unit.gateway.conftest import Later
from tests.unit.gateway.test_batches import RULES, question, site

from healing_eval.gateway.batches import TAKEN_OVER_SECONDS, Batches
from healing_eval.ports.batch_work import BatchWork
from healing_eval.testing.fake_model import FakeModel

QUESTIONS = [question(number) for number in range(5)]
ROUNDS = 3


class Died(BaseException):
    """As far as the program can tell, a kill: nothing catches it."""


class Mortal:
    """Something whose user dies with one call of its methods, before or after it has done its work."""

    def __init__(self, real: Any, lives: Lives) -> None:
        self._real = real
        self._lives = lives

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name not in self._lives.deadly:
            return real

        async def call(*args: Any, **named: Any) -> Any:
            self._lives.spend(before=True)
            found = await real(*args, **named)
            self._lives.spend(before=False)
            return found

        return call


class Lives:
    """Counts calls, and ends it all with the one it was told."""

    deadly = frozenset(
        {"batches", "waiting", "bundle", "questions_of", "handed_in", "settle", "end", "sweep"}
        | {"submit", "find", "state", "discard"}
    )

    def __init__(self, at: int) -> None:
        self.left = at

    def spend(self, *, before: bool) -> None:
        self.left -= 1
        if self.left == 0:
            raise Died


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_wherever_it_dies_another_goes_on_and_nothing_is_lost_or_answered_twice(
    provider: str, new_work: Callable[[], BatchWork], work: BatchWork, fake: FakeModel, later: Later
) -> None:
    deaths = 0
    for at in range(1, 1000):
        names = [f"{at}-{one.mark}" for one in QUESTIONS]
        asked = [
            type(one)(b"%8d%8d" % (at, number), one.pool, one.request, name)
            for number, (one, name) in enumerate(zip(QUESTIONS, names, strict=True))
        ]
        fake.batches.seen.clear()
        await work.ask(asked)
        later.seconds += RULES.gather_seconds
        died = await dies(provider, new_work, fake, at)
        later.seconds += TAKEN_OVER_SECONDS
        for _ in range(ROUNDS):
            await in_a_process_of_its_own(provider, new_work(), fake)

        standings = await work.ask(asked)
        assert [(one.state, one.mark) for one in standings] == [("answered", name) for name in names], at
        assert await work.batches() == [], at
        times = Counter(name for job in fake.batches.seen for name in job.questions)
        assert set(times.values()) == {1}, at
        deaths += died
        if not died:
            break

    assert deaths > 20  # it went through them all


async def dies(provider: str, new_work: Callable[[], BatchWork], fake: FakeModel, at: int) -> bool:
    """Hand in and fetch, and die with so many calls; False if that is over before."""
    lives, chosen = Lives(at), site(provider, fake)
    mortal = type(chosen)(
        chosen.name, chosen.pool, cast("Any", Mortal(chosen.model, lives)), chosen.prices, chosen.weight
    )
    batches = Batches(cast("BatchWork", Mortal(new_work(), lives)), [mortal], RULES)
    try:
        for _ in range(2):
            await batches.round()
    except Died:
        return True
    finally:
        await chosen.model.close()
    return False


async def in_a_process_of_its_own(provider: str, work: BatchWork, fake: FakeModel) -> None:
    batches = Batches(work, [site(provider, fake)], RULES)
    try:
        await batches.round()
    finally:
        await batches.close()
