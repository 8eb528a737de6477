"""Which failures are worth another try, and until when?"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from healing_eval.backends.stream.memory import MemoryStream
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, Result
from healing_eval.domain.revision import RevisionKey
from healing_eval.pipeline.retries import (
    LONGEST_PAUSE_SECONDS,
    OWN_SECONDS,
    REMEMBER_LONGER_SECONDS,
    Retries,
    only_waits,
)
from healing_eval.ports.ledger import LaneResult

KEY = RevisionKey(b"k" * 16, 1)
DOWN = Failure("the server is down", "ModelUnavailable", retryable=True)


class Clock:
    """Stands still until it is told otherwise."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def said(name: str, result: Result) -> Evaluation:
    return Evaluation(KEY.conversation_key, name, "1", result)


async def never_before(keys: Sequence[RevisionKey], remember_seconds: float) -> list[float]:
    return [0.0] * len(keys)


def test_only_a_failure_that_may_pass_is_tried_again() -> None:
    retries = Retries(900, never_before, clock=Clock())

    for result in (Findings(1.0), Abstention("no opinion"), Failure("the model refused", "ModelRefused")):
        assert not retries.postpone(KEY, [said("judge", result)])
    assert retries.postpone(KEY, [said("judge", DOWN)])


def test_what_did_not_fail_is_kept() -> None:
    retries = Retries(900, never_before, clock=Clock())
    measured = said("other", Findings(1.0))

    retries.postpone(KEY, [measured, said("judge", DOWN)])

    assert retries.kept(KEY) == (measured,)
    retries.forget([KEY])
    assert retries.kept(KEY) == ()


@pytest.mark.parametrize(("for_seconds", "remembered"), [(900, [KEY]), (0, [])])
def test_of_what_is_settled_only_that_which_was_tried_again_had_a_first_failure(
    for_seconds: float, remembered: list[RevisionKey]
) -> None:
    retries = Retries(for_seconds, never_before, clock=Clock())
    retries.postpone(KEY, [said("judge", DOWN)])
    never_failed = RevisionKey(b"n" * 16, 1)

    assert retries.forget([never_failed, KEY]) == remembered
    assert retries.forget([never_failed, KEY]) == []


def test_pauses_grow_and_the_last_try_is_when_the_time_is_up() -> None:
    clock = Clock()
    retries = Retries(900, never_before, first_pause_seconds=1, clock=clock)

    pauses: list[float] = []
    while retries.postpone(KEY, [said("judge", DOWN)]):
        pauses.append(retries.pause(KEY))
        clock.now += pauses[-1]

    assert pauses[:8] == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    assert sum(pauses) == 900


async def test_without_time_nothing_is_tried_again() -> None:
    retries = Retries(0, never_before, clock=Clock())

    assert await tries(retries) == [False]


async def tries(retries: Retries, *, clock: Clock | None = None, most: int = 1) -> list[bool]:
    """Fail again and again, after the pauses; tells each time whether it is tried again."""
    decided: list[bool] = []
    while len(decided) < most and decided[-1:] != [False]:
        failed = (said("judge", DOWN),)
        await retries.recall([LaneResult(KEY, failed)])
        decided.append(retries.postpone(KEY, failed))
        if clock is not None and decided[-1]:
            clock.now += retries.pause(KEY)
    return decided


class Processes:
    """Each new one knows nothing but what the stream remembers."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._stream = MemoryStream(self.clock)

    def new(self, for_seconds: float = 900.0) -> Retries:
        async def failing_for(keys: Sequence[RevisionKey], remember_seconds: float) -> list[float]:
            return await self._stream.failing_for("judges", keys, remember_seconds=remember_seconds)

        return Retries(for_seconds, failing_for, clock=self.clock)


@pytest.fixture
def processes() -> Processes:
    return Processes()


async def test_however_often_a_process_is_replaced_the_time_is_up_when_it_is(processes: Processes) -> None:
    begun = processes.clock.now

    for _ in range(8):  # each lives for two minutes
        assert await tries(processes.new()) == [True]
        processes.clock.now += 120
    decided = await tries(processes.new(), clock=processes.clock, most=99)

    assert decided[-1] is False
    assert processes.clock.now - begun == 8 * 120 + OWN_SECONDS


async def test_what_failed_before_an_outage_of_ours_is_tried_for_a_while_all_the_same(processes: Processes) -> None:
    await tries(processes.new())
    processes.clock.now += 1200
    took_over = processes.clock.now

    decided = await tries(processes.new(), clock=processes.clock, most=99)

    assert decided.count(True) > 4
    assert processes.clock.now - took_over == OWN_SECONDS


async def test_what_failed_before_a_long_outage_of_ours_begins_anew(processes: Processes) -> None:
    await tries(processes.new())
    processes.clock.now += 900 + REMEMBER_LONGER_SECONDS
    took_over = processes.clock.now

    await tries(processes.new(), clock=processes.clock, most=99)

    assert processes.clock.now - took_over == 900


async def test_who_is_to_try_for_less_than_a_while_does(processes: Processes) -> None:
    await tries(processes.new(5.0))
    processes.clock.now += 100
    took_over = processes.clock.now

    await tries(processes.new(5.0), clock=processes.clock, most=99)

    assert processes.clock.now - took_over == 5


HELD = Failure("the limits hold it back", "ModelBusy", retryable=True, retry_after_seconds=200.0)


def test_what_our_limits_hold_back_is_tried_when_they_say_for_as_long_as_it_takes() -> None:
    clock = Clock()
    retries = Retries(0, never_before, clock=clock)

    for _ in range(100):
        assert retries.postpone(KEY, [said("judge", HELD)])
        assert retries.pause(KEY) == 200
        clock.now += 200


async def test_the_time_for_failures_begins_with_the_first_that_is_one() -> None:
    clock, results = Clock(), {one: LaneResult(KEY, (said("judge", one),)) for one in (HELD, DOWN)}
    retries = Retries(900, never_before, clock=clock)
    for _ in range(10):
        await retries.recall([results[HELD]])
        assert retries.postpone(KEY, [said("judge", HELD)])
        clock.now += 200

    pauses: list[float] = []
    await retries.recall([results[DOWN]])
    while retries.postpone(KEY, [said("judge", DOWN)]):
        pauses.append(retries.pause(KEY))
        clock.now += pauses[-1]

    assert sum(pauses) == 900


def test_the_time_for_failures_stands_still_while_limits_hold_it_back() -> None:
    clock = Clock()
    retries = Retries(900, never_before, clock=clock)
    retries.postpone(KEY, [said("judge", DOWN)])

    for _ in range(10):
        retries.postpone(KEY, [said("judge", HELD)])
        clock.now += retries.pause(KEY)

    clock.now += 899
    assert retries.postpone(KEY, [said("judge", DOWN)])
    clock.now += 1
    assert not retries.postpone(KEY, [said("judge", DOWN)])


def test_one_that_really_failed_beside_one_that_is_held_back_counts() -> None:
    retries = Retries(0, never_before, clock=Clock())

    assert not retries.postpone(KEY, [said("other", DOWN), said("judge", HELD)])


def test_what_was_held_back_here_and_settled_elsewhere_is_forgotten() -> None:
    clock = Clock()
    retries = Retries(900, never_before, clock=clock)
    measured = said("other", Findings(1.0))
    retries.postpone(KEY, [measured, said("judge", HELD)])
    clock.now += HELD.retry_after_seconds or 0
    clock.now += LONGEST_PAUSE_SECONDS

    for number in range(10_000):
        retries.postpone(RevisionKey(number.to_bytes(16, "big"), 1), [said("judge", HELD)])

    assert retries.kept(KEY) == ()


def test_only_what_lacks_nothing_but_answers_of_batches_just_waits() -> None:
    pending = Failure("in a batch", "AnswerPending", retryable=True, retry_after_seconds=60.0)
    held = Failure("busy", "ModelBusy", retryable=True, retry_after_seconds=1.0)
    refused = Failure("refused", "ModelRefused")

    assert only_waits([said("judge", pending), said("other", Findings(1.0)), said("third", refused)])
    for others in ([Findings(1.0)], [DOWN], [pending, DOWN], [pending, held], [refused]):
        assert not only_waits([said(f"e{number}", result) for number, result in enumerate(others)])
