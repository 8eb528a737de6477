"""Which failures are worth another try, and until when?

A failure that is retryable, such as a model's server that is down, leaves its lane open: the conversation is tried
again after growing pauses, and what the other evaluators of the lane said is kept meanwhile. Once the time is up the
failure is final.

What our own limits held back has not been tried, so that it is tried again for as long as it takes and when they said;
what has failed before has so much more time.

The time begins with the first failure and not when the conversation was accepted: what waited through an outage of ours
has not been tried at all. The stream remembers that first failure, so that whoever takes over from a dead process goes
on counting; but for a while it tries for itself, since the time may have passed while nobody was at work.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from healing_eval.domain.evaluation import Evaluation, Failure
from healing_eval.domain.revision import RevisionKey
from healing_eval.pipeline.pending import is_pending
from healing_eval.ports.ledger import LaneResult

LONGEST_PAUSE_SECONDS = 60.0
OWN_SECONDS = 60.0
"""How long a process tries for itself what others have tried before, unless it is to be tried for less at all."""
REMEMBER_LONGER_SECONDS = 600.0
"""How much longer than it is tried again a first failure is remembered; what is only then found again begins anew."""
_SWEPT_FROM = 10_000
"""Revisions remembered before those are looked for that may be forgotten."""


FailingFor = Callable[[Sequence[RevisionKey], float], Awaitable[Sequence[float]]]
"""Tells for how many seconds each of these revisions has failed already, in any process, and remembers so long."""


class _Waiting(msgspec.Struct):
    give_up_at: float = math.inf
    """Infinite until it fails: what is only held back is never given up."""
    next_at: float = 0.0
    kept: tuple[Evaluation, ...] = ()
    tries: int = 0


class Retries:
    """What waits for another try on one lane."""

    def __init__(
        self,
        for_seconds: float,
        failing_for: FailingFor,
        *,
        first_pause_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set how long a revision is tried again, from its first failure on; 0 for never.

        Args:
            for_seconds: after this long a failure is final.
            failing_for: remembers first failures for all processes.
            first_pause_seconds: doubles with each further try, up to a minute.
            clock: one that never goes back, in seconds.
        """
        self._for_seconds = for_seconds
        self._failing_for = failing_for
        self._first_pause_seconds = first_pause_seconds
        self._clock = clock
        self._waiting: dict[RevisionKey, _Waiting] = {}
        self._swept_at = _SWEPT_FROM

    def kept(self, key: RevisionKey) -> tuple[Evaluation, ...]:
        """Give the evaluations of earlier tries that need not be made again."""
        waiting = self._waiting.get(key)
        return waiting.kept if waiting else ()

    async def recall(self, results: Sequence[LaneResult]) -> None:
        """Find out since when those fail that fail here for the first time; to be done before they are postponed."""
        new = [one.revision_key for one in results if self._is_first_failure(one)]
        if not (new and self._for_seconds):
            return
        ages = await self._failing_for(new, self._for_seconds + REMEMBER_LONGER_SECONDS)
        now, least = self._clock(), min(self._for_seconds, OWN_SECONDS)
        for key, age in zip(new, ages, strict=True):
            waiting = self._waiting.setdefault(key, _Waiting())
            waiting.give_up_at = now + max(least, self._for_seconds - age)

    def postpone(self, key: RevisionKey, evaluations: Iterable[Evaluation]) -> bool:
        """Decide whether a revision is tried again; if so, keep what did not fail."""
        everything = list(evaluations)
        kept = tuple([one for one in everything if not _is_retryable(one)])
        if len(kept) == len(everything):
            return False
        now = self._clock()
        if len(self._waiting) >= self._swept_at:
            self._forget_expired(now)
        waiting = self._waiting.setdefault(key, _Waiting())
        held_for = _held_for(everything)
        if held_for is None:
            if waiting.give_up_at == math.inf:
                waiting.give_up_at = now + self._for_seconds
            if now >= waiting.give_up_at:
                return False
            waiting.tries += 1
            pause = self._first_pause_seconds * 2 ** min(waiting.tries - 1, 10)
            held_for = min(LONGEST_PAUSE_SECONDS, pause, waiting.give_up_at - now)
        else:
            waiting.give_up_at += held_for
        waiting.kept = kept
        waiting.next_at = now + held_for
        return True

    def pause(self, key: RevisionKey) -> float:
        """Tell how long to wait before the next try, in seconds; the last one is when the time is up."""
        return max(0.0, self._waiting[key].next_at - self._clock())

    def forget(self, keys: Iterable[RevisionKey]) -> list[RevisionKey]:
        """Let go of what is settled, and tell of which of these the first failure is remembered for all processes."""
        failed = [key for key in keys if self._waiting.pop(key, None) is not None]
        return failed if self._for_seconds else []

    def _forget_expired(self, now: float) -> None:
        """Let go of what another process must have settled: here its time is long up."""
        latest = now - LONGEST_PAUSE_SECONDS
        self._waiting = {key: one for key, one in self._waiting.items() if _is_expected(one, latest)}
        self._swept_at = max(_SWEPT_FROM, 2 * len(self._waiting))

    def _is_first_failure(self, result: LaneResult) -> bool:
        waiting = self._waiting.get(result.revision_key)
        if waiting is not None and waiting.give_up_at < math.inf:
            return False
        may_pass = any(_is_retryable(one) for one in result.evaluations)
        return may_pass and _held_for(result.evaluations) is None


def only_waits(evaluations: Iterable[Evaluation]) -> bool:
    """Whether all that is missing are answers that were asked for in a batch: nobody is slow, and nothing failed."""
    missing = [one.result for one in evaluations if _is_retryable(one)]
    return bool(missing) and all(map(is_pending, missing))


def _is_expected(waiting: _Waiting, latest: float) -> bool:
    return (waiting.give_up_at if waiting.give_up_at < math.inf else waiting.next_at) > latest


def _held_for(evaluations: Iterable[Evaluation]) -> float | None:
    """How long the limits hold a conversation back, in seconds; None if one of its evaluators has really failed."""
    failures = [one.result for one in evaluations if isinstance(one.result, Failure) and one.result.retryable]
    waits = [failure.retry_after_seconds for failure in failures]
    known = [wait for wait in waits if wait is not None]
    return max(known) if known and len(known) == len(waits) else None


def _is_retryable(evaluation: Evaluation) -> bool:
    return isinstance(evaluation.result, Failure) and evaluation.result.retryable
