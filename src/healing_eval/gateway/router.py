"""Which deployment answers this question, and who if that one does not?

The one that is least busy by its weight is asked. If it does not answer, those nearest to it are: the same model with
another key or in another region, then other models of the same provider, then other providers. When none has answered,
all are tried again after a growing pause, for as long as the question has time.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence

import msgspec
import stamina

from healing_eval.errors import ModelBusy, ModelError, ModelUnavailable, NotAdmitted
from healing_eval.gateway.deployment import Deployment
from healing_eval.ports.chat_model import ChatAnswer, ChatRequest

ROUNDS = 4
NEARLY_ALL = 0.99
LONGEST_REST_SECONDS = 10.0
"""How long a question waits in all for deployments that do not answer; longer outages are for whoever asks."""


class _TryAgain(Exception):
    """Nobody answered this time, and the next may be different; the text holds neither content nor key."""

    def __init__(self, error: ModelUnavailable) -> None:
        super().__init__(str(error))
        self.error = error


class _Question(msgspec.Struct):
    """One question on its way."""

    request: ChatRequest
    until: float
    """When its time is up, by the router's clock."""
    turns_until: float
    """Until when it may wait for a turn."""
    sent: int = 0
    rested: float = 0.0
    failed: ModelError | None = None
    refused_by: list[Deployment] = []
    """Those that took it for nothing of ours; none is asked again."""
    held_for: float | None = None
    """When the first of those that limits hold back has room, in seconds; None if none does."""


class Router:
    """A `ChatModel` of several deployments, or of one."""

    def __init__(
        self,
        name: str,
        deployments: Sequence[Deployment],
        *,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Take the pool's name and its deployments, at least one.

        Args:
            name: of the pool, or `provider:model`.
            deployments: all of one class, so that any of them may answer.
            clock: one that never goes back, in seconds.
            draw: gives numbers in [0, 1) to choose among equals by.
        """
        self.name = name
        self.deployments = tuple(deployments)
        self.context_tokens = min(one.model.context_tokens for one in deployments)
        addresses = {getattr(one.model, "base_url", None) for one in deployments}
        self.base_url = next(iter(addresses)) if len(addresses) == 1 else None
        self._clock = clock
        self._draw = draw

    @property
    def models(self) -> tuple[str, ...]:
        """Which models may answer, as `provider:model`, each once, sorted."""
        return tuple(sorted({one.model.name for one in self.deployments}))

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        """Ask until one answers or the time is up.

        Raises:
            ModelError: as `ChatModel.ask`; of several failures the last.
        """
        now = self._clock()
        turns_until = now + request.longest_wait_seconds
        question = _Question(request, turns_until + request.timeout_seconds, turns_until)

        def worth_another(error: Exception) -> bool:
            return isinstance(error, _TryAgain) and self._clock() < question.until

        try:
            try:
                return await self._go_round(question)
            except _TryAgain as error:
                failed = error
            async for attempt in stamina.retry_context(on=worth_another, attempts=ROUNDS, timeout=None):
                with attempt:
                    if attempt.num == 1:  # that one is over: nearly all succeed, and need no machinery for more
                        raise failed
                    return await self._go_round(question)
        except _TryAgain as error:
            raise error.error from error.error.__cause__
        raise AssertionError("the retry loop returns or raises")

    async def close(self) -> None:
        """Let go of all connections."""
        await asyncio.gather(*(one.model.close() for one in self.deployments))

    async def _go_round(self, question: _Question) -> ChatAnswer:
        """Ask one after the other, each once.

        Raises:
            _TryAgain: none answered; after a while one may.
            ModelError: asking again is of no use.
        """
        question.held_for = None
        await self._wait_for_one(question)
        left = self._left_for(question)
        last: Deployment | None = None
        while self._clock() < question.until and (chosen := self._choose(left, last)) is not None:
            left.remove(chosen)
            last = chosen
            answer = await self._ask(chosen, question, others=bool(left))
            if answer is not None:
                return answer
        raise self._give_up(question)

    async def _ask(self, chosen: Deployment, question: _Question, *, others: bool) -> ChatAnswer | None:
        """Ask one; None if another may answer instead."""
        now, request = self._clock(), question.request
        seconds = request.timeout_seconds
        if question.until - now < NEARLY_ALL * seconds:  # else not worth a request of its own
            seconds = max(0.001, question.until - now)
        wait = max(0.0, question.turns_until - now)
        if seconds < request.timeout_seconds or wait < request.longest_wait_seconds:
            request = msgspec.structs.replace(request, timeout_seconds=seconds, longest_wait_seconds=wait)
        try:
            answer = await chosen.ask(request, others=others)
        except ModelBusy as error:
            question.held_for = min(error.retry_after_seconds, question.held_for or error.retry_after_seconds)
        except (ModelUnavailable, NotAdmitted) as error:
            question.sent += error.requests if isinstance(error, ModelUnavailable) else 1
            question.failed = error
            if isinstance(error, NotAdmitted):
                question.refused_by.append(chosen)
        else:
            requests = question.sent + answer.requests
            return msgspec.structs.replace(answer, requests=requests, deployment=chosen.name, provider=chosen.provider)
        return None

    def _choose(self, left: Sequence[Deployment], last: Deployment | None) -> Deployment | None:
        """Choose among those left that may be asked now; None if there is none."""
        ready = [one for one in left if not one.rests_for()]
        if not ready:
            return None
        if len(ready) == 1:
            return ready[0]
        return min(ready, key=lambda one: (one.weight == 0, _distance(one, last), one.load, self._draw()))

    async def _wait_for_one(self, question: _Question) -> None:
        """Sleep until a deployment may be asked.

        Raises:
            ModelBusy: its provider wants it to be left alone for longer than the question has time.
            NotAdmitted: none takes anything from us.
            ModelUnavailable: none has answered of late, and waiting longer would hold up whoever asks.
        """
        left = self._left_for(question)
        while rests := min(one.rests_for() for one in left):
            self._raise_if_barred()
            if min(one.throttled_for() for one in left):
                if rests > question.until - self._clock():
                    raise ModelBusy(f"{self.name} wants to be left alone for {rests:.1f} s", retry_after_seconds=rests)
            else:
                question.rested += rests
                if question.rested > LONGEST_REST_SECONDS or rests > question.until - self._clock():
                    raise self._unavailable(question)
            await asyncio.sleep(rests)

    def _give_up(self, question: _Question) -> Exception:
        """Say why nobody answered in this round, and whether another round may be different."""
        if question.held_for is not None:
            return ModelBusy(
                f"the limits of {self.name} hold it back for {question.held_for:.1f} s",
                retry_after_seconds=question.held_for,
            )
        self._raise_if_barred()
        if isinstance(question.failed, NotAdmitted) and not self._left_for(question):
            return question.failed
        return _TryAgain(self._unavailable(question))

    def _left_for(self, question: _Question) -> list[Deployment]:
        return [one for one in self.deployments if one not in question.refused_by]

    def _raise_if_barred(self) -> None:
        refusals = [one.refusal for one in self.deployments]
        last = refusals[-1]
        if last is not None and all(refusals):
            raise NotAdmitted(str(last), status=last.status)

    def _unavailable(self, question: _Question) -> ModelUnavailable:
        """Say why the last one did not answer, and how many requests all tries together were."""
        said = str(question.failed or f"{self.name} has not answered of late")
        wanted = question.failed.retry_after_seconds if isinstance(question.failed, ModelUnavailable) else None
        failed = ModelUnavailable(said, requests=question.sent, retry_after_seconds=wanted)
        failed.__cause__ = question.failed
        return failed


def _distance(one: Deployment, other: Deployment | None) -> int:
    """How far a deployment is from the one that was asked last."""
    if other is None or one.model.name == other.model.name:
        return 0
    return 1 if one.provider == other.provider else 2
