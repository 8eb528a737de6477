"""Which failures are worth another try, and until when?"""

from __future__ import annotations

from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, Result
from healing_eval.domain.revision import RevisionKey
from healing_eval.pipeline.retries import LONGEST_PAUSE_SECONDS, Retries

KEY = RevisionKey(b"k" * 16, 1)
DOWN = Failure("the server is down", "ModelUnavailable", retryable=True)


class Clock:
    """Stands still until it is told otherwise."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def said(name: str, result: Result) -> Evaluation:
    return Evaluation(KEY.conversation_key, name, "1", result)


def test_only_a_failure_that_may_pass_is_tried_again() -> None:
    retries = Retries(900, clock=Clock())

    for result in (Findings(1.0), Abstention("no opinion"), Failure("the model refused", "ModelRefused")):
        assert not retries.postpone(KEY, [said("judge", result)])
    assert retries.postpone(KEY, [said("judge", DOWN)])


def test_what_did_not_fail_is_kept() -> None:
    retries = Retries(900, clock=Clock())
    measured = said("other", Findings(1.0))

    retries.postpone(KEY, [measured, said("judge", DOWN)])

    assert retries.kept(KEY) == (measured,)
    retries.forget([KEY])
    assert retries.kept(KEY) == ()


def test_pauses_grow_and_the_last_try_is_when_the_time_is_up() -> None:
    clock = Clock()
    retries = Retries(900, first_pause_seconds=1, clock=clock)

    pauses: list[float] = []
    while retries.postpone(KEY, [said("judge", DOWN)]):
        pauses.append(retries.pause(KEY))
        clock.now += pauses[-1]

    assert pauses[:8] == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    assert sum(pauses) == 900


def test_without_time_nothing_is_tried_again() -> None:
    assert not Retries(0, clock=Clock()).postpone(KEY, [said("judge", DOWN)])
