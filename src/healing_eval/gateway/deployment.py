"""What is known of one place where a model is served: who serves it, whether it answers, how busy we keep it."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import structlog

from healing_eval import telemetry
from healing_eval.errors import ModelBusy, ModelError, ModelUnavailable, NotAdmitted
from healing_eval.gateway.breaker import LONGEST_PAUSE_ALONE_SECONDS, LONGEST_PAUSE_SECONDS, Breaker
from healing_eval.gateway.patience import Patience
from healing_eval.ports.chat_model import ChatAnswer, ChatModel, ChatRequest

LONGEST_THROTTLED_SECONDS = 300.0
"""More than that a deployment is not left alone at its provider's word, which may be nonsense."""

log = structlog.get_logger()


class Deployment:
    """A model, with a key and an address."""

    def __init__(
        self,
        name: str,
        model: ChatModel,
        *,
        weight: float = 1.0,
        is_alone: bool = False,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where it is asked.

        Args:
            name: as in the settings; it labels metrics.
            model: asks once, within the deployment's limits if it has any.
            weight: its share of the work among those that answer, any positive scale; 0: only if no other can.
            is_alone: whether nobody else could be asked.
            patience: how long an answer is worth waiting for when there are others to turn to.
            clock: one that never goes back, in seconds.
        """
        self.name = name
        self.model = model
        self.weight = weight
        self.provider = model.name.partition(":")[0]
        self.in_flight = 0
        self._breaker = Breaker(clock, LONGEST_PAUSE_ALONE_SECONDS if is_alone else LONGEST_PAUSE_SECONDS)
        self._patience = patience or Patience()
        self._paused_until = 0.0
        self._clock = clock
        self._last_refusal: NotAdmitted | None = None

    @property
    def load(self) -> float:
        """How busy we keep it, by its weight."""
        return (self.in_flight + 1) / (self.weight or 1.0)

    @property
    def refusal(self) -> NotAdmitted | None:
        """Why it takes nothing from us; None if it does, or that is not known."""
        return self._last_refusal if self._breaker.is_open else None

    def throttled_for(self) -> float:
        """Tell for how many seconds its provider wants to be left alone; 0 if it does not."""
        return max(0.0, self._paused_until - self._clock())

    def rests_for(self) -> float:
        """Tell for how many seconds it is not to be asked; 0 if it may be now."""
        return max(self.throttled_for(), self._breaker.opens_in())

    async def ask(self, request: ChatRequest, *, others: bool) -> ChatAnswer:
        """Ask once; with `others` to turn to no longer than an answer of this one is worth waiting for.

        Raises:
            ModelError: as `ChatModel.ask`.
        """
        patience = self._patience.seconds(request.timeout_seconds) if others else request.timeout_seconds
        if patience < request.timeout_seconds:
            request = msgspec.structs.replace(request, timeout_seconds=patience)
        self._breaker.begin()
        self.in_flight += 1
        settled = False
        try:
            answer = await self.model.ask(request)
            self._note_answer(answer)
            settled = True
            return answer
        except ModelError as error:
            self._note_failure(error)
            settled = True
            raise
        finally:
            self.in_flight -= 1
            if not settled:
                self._breaker.give_back()

    def _note_answer(self, answer: ChatAnswer) -> None:
        if self._breaker.is_open:
            log.info("deployment.answers_again", deployment=self.name)
            telemetry.DEPLOYMENT_OPEN.labels(self.name).set(0)
        self._breaker.succeed()
        if answer.seconds is not None:
            self._patience.learn(answer.seconds)
        telemetry.MODEL_REQUESTS.labels(self.name, "answered").inc()

    def _note_failure(self, error: ModelError) -> None:
        outcome = "refused"
        if isinstance(error, ModelBusy):
            outcome = "held"
            self._breaker.give_back()
        elif isinstance(error, NotAdmitted):
            outcome = "not_admitted"
            self._last_refusal = error
            self._set_aside(error, opened=self._breaker.bar())
        elif isinstance(error, ModelUnavailable):
            outcome = self._note_unavailable(error)
        else:
            self._breaker.succeed()  # it answered, if not what we wanted
        telemetry.MODEL_REQUESTS.labels(self.name, outcome).inc()

    def _note_unavailable(self, error: ModelUnavailable) -> str:
        if error.retry_after_seconds is not None:
            self._breaker.give_back()  # whoever tells when to come again is there
            wanted = min(error.retry_after_seconds, LONGEST_THROTTLED_SECONDS)
            self._paused_until = max(self._paused_until, self._clock() + wanted)
            return "throttled"
        if error.timed_out:
            self._patience.run_out()
        self._last_refusal = None
        self._set_aside(error, opened=self._breaker.fail())
        return "unavailable"

    def _set_aside(self, error: ModelError, *, opened: bool) -> None:
        if opened:
            telemetry.DEPLOYMENT_OPEN.labels(self.name).set(1)
            log.warning("deployment.set_aside", deployment=self.name, kind=type(error).__name__, reason=str(error))
