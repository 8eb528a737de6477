"""Who sees to it that a model is asked no more than its provider allows? Stands in front of the model."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, cast

from healing_eval import telemetry
from healing_eval.errors import BackendError, ModelBusy, ModelUnavailable
from healing_eval.gateway.sizes import Sizes
from healing_eval.ports.chat_model import ChatAnswer, ChatModel, ChatRequest
from healing_eval.ports.limiter import Limiter, Need, RateLimit

LONGEST_PAUSE_SECONDS = 300.0
"""More than that nobody is kept from asking at a provider's word, which may be nonsense."""


def limited_model(name: str, model: ChatModel, limiter: Limiter, limit: RateLimit) -> ChatModel:
    """Have each question wait for its turn under a deployment's name; closing the model closes the limiter."""
    return cast("ChatModel", _LimitedModel(name, model, limiter, limit))


class _LimitedModel:
    def __init__(self, name: str, model: ChatModel, limiter: Limiter, limit: RateLimit) -> None:
        self._deployment = name
        self._real: Any = model
        self._limiter = limiter
        self._limit = limit
        self._sizes = Sizes()
        self._extra_requests = 0
        self._extra_tokens = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        expected = self._sizes.expect(request)
        await self._wait_for_turn(expected, request.longest_wait_seconds)
        try:
            answer = await self._real.ask(request)
        except ModelUnavailable as error:
            self._extra_requests += error.requests - 1
            await self._pause(error.retry_after_seconds)
            raise
        self._extra_requests += answer.requests - 1
        used = self._sizes.learn(request, answer)
        if used is not None:
            self._extra_tokens += used - expected
        return answer

    async def close(self) -> None:
        await self._real.close()
        await self._limiter.close()

    async def _wait_for_turn(self, tokens: int, longest_wait_seconds: float) -> None:
        """Reserve a turn and sleep until it comes; what was used without one before is settled with it.

        Raises:
            ModelBusy: that would take too long.
            ModelUnavailable: who gives out the turns does not answer.
        """
        need = Need(tokens, self._extra_requests, self._extra_tokens)
        self._extra_requests = self._extra_tokens = 0
        try:
            turn = await self._limiter.reserve(self._deployment, self._limit, need, longest_wait_seconds)
        except BackendError as error:
            self._extra_requests += need.extra_requests
            self._extra_tokens += need.extra_tokens
            raise ModelUnavailable(f"its turn cannot be found out: {error}", requests=0) from error
        if not turn.granted:
            telemetry.MODEL_TURNS.labels(self._deployment, "held").inc()
            raise ModelBusy(
                f"the limits of {self._deployment} hold it back for {turn.wait_seconds:.1f} s",
                retry_after_seconds=turn.wait_seconds,
            )
        telemetry.MODEL_TURNS.labels(self._deployment, "granted").inc()
        telemetry.MODEL_TURN_WAIT.labels(self._deployment).observe(turn.wait_seconds)
        if turn.wait_seconds:
            await asyncio.sleep(turn.wait_seconds)

    async def _pause(self, seconds: float | None) -> None:
        if seconds:
            with suppress(BackendError):  # then each finds out by itself
                await self._limiter.pause(self._deployment, min(seconds, LONGEST_PAUSE_SECONDS))
