"""Is a deployment that fails left alone, and found again?"""

from __future__ import annotations

from healing_eval.gateway.breaker import (
    BARRED_SECONDS,
    FAILURES_IN_A_ROW,
    FIRST_PAUSE_SECONDS,
    LONGEST_BARRED_SECONDS,
    LONGEST_PAUSE_ALONE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    REFUSALS_IN_A_ROW,
    Breaker,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    assert [breaker.fail() for _ in range(FAILURES_IN_A_ROW)] == [False] * (FAILURES_IN_A_ROW - 1) + [True]
    return breaker


def test_only_failures_in_a_row_open_it() -> None:
    breaker = Breaker(Clock())
    for _ in range(10):
        for _ in range(FAILURES_IN_A_ROW - 1):
            breaker.fail()
        breaker.succeed()

    assert not breaker.is_open
    assert breaker.opens_in() == 0.0


def test_what_was_asked_before_it_opened_changes_nothing() -> None:
    clock = Clock()
    breaker = opened(clock)

    assert [breaker.fail() for _ in range(20)] == [False] * 20
    assert breaker.opens_in() == FIRST_PAUSE_SECONDS


def test_after_a_pause_one_at_a_time_may_ask() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += FIRST_PAUSE_SECONDS
    assert breaker.opens_in() == 0.0

    breaker.begin()

    assert breaker.opens_in() > 0
    breaker.succeed()
    assert (breaker.is_open, breaker.opens_in()) == (False, 0.0)


def test_pauses_double_up_to_the_longest() -> None:
    clock = Clock()
    breaker = opened(clock)
    pauses = list[float]()
    for _ in range(8):
        pauses.append(breaker.opens_in())
        clock.now += pauses[-1]
        breaker.begin()
        breaker.fail()

    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def test_whoever_gave_the_try_back_lets_the_next_one_try() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += FIRST_PAUSE_SECONDS
    breaker.begin()

    breaker.give_back()

    assert breaker.is_open
    assert breaker.opens_in() == 0.0


def test_refusals_of_us_open_it_for_longer_and_a_single_one_does_not() -> None:
    clock = Clock()
    breaker = Breaker(clock)

    assert [breaker.bar() for _ in range(REFUSALS_IN_A_ROW)] == [False, False, True]

    pauses = list[float]()
    for _ in range(4):
        pauses.append(breaker.opens_in())
        clock.now += pauses[-1]
        breaker.begin()
        assert not breaker.bar()
    assert pauses == [BARRED_SECONDS, 2 * BARRED_SECONDS, 4 * BARRED_SECONDS, LONGEST_BARRED_SECONDS]


def test_where_nobody_else_could_be_asked_it_is_found_out_sooner() -> None:
    clock = Clock()
    breaker = Breaker(clock, LONGEST_PAUSE_ALONE_SECONDS)
    pauses = list[float]()
    for _ in range(FAILURES_IN_A_ROW):
        breaker.fail()
    for _ in range(5):
        pauses.append(breaker.opens_in())
        clock.now += pauses[-1]
        breaker.begin()
        breaker.fail()

    assert pauses == [1, 1, 1, 1, 1]
