"""What do spans tell of the stream, the evaluators and the model? Stands in front of each where there is a tracer.

Nothing but a sweep is told outside a span that is kept: who is not among the sampled ones pays nothing for those who
are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Failure
from healing_eval.domain.revision import RevisionKey
from healing_eval.pipeline.batch_spans import span_about
from healing_eval.pipeline.pending import is_pending
from healing_eval.pipeline.spans import CONVERSATIONS, spanning
from healing_eval.ports.chat_model import ChatAnswer, ChatModel, ChatRequest
from healing_eval.ports.evaluator import Evaluator
from healing_eval.ports.stream import Delivery, Stream
from healing_eval.ports.tracer import Attributes, Tracer


def traced_stream(stream: Stream, tracer: Tracer, system: str) -> Stream:
    """Have what is appended within a span carry that on; `system` names what the stream is kept in."""
    return cast("Stream", _TracedStream(stream, tracer, system))


def swept_stream(stream: Stream, tracer: Tracer) -> Stream:
    """Have what is appended begin a trace of its own, since that of the post went with the message that was lost.

    To be put in front of what `traced_stream` gives.
    """
    return cast("Stream", _SweptStream(stream, tracer))


def traced_evaluator(evaluator: Evaluator, tracer: Tracer) -> Evaluator:
    """Make a span of each batch that an evaluator sees."""
    return cast("Evaluator", _TracedEvaluator(evaluator, tracer))


def traced_model(model: ChatModel, tracer: Tracer) -> ChatModel:
    """Make a span of each question to a model, the provider's own retries included."""
    return cast("ChatModel", _TracedModel(model, tracer))


_NO_MORE: Any = object()


class _InFront:
    """Passes on everything that is not asked here."""

    def __init__(self, real: object, tracer: Tracer) -> None:
        self._real: Any = real
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _TracedStream(_InFront):
    def __init__(self, stream: Stream, tracer: Tracer, system: str) -> None:
        super().__init__(stream, tracer)
        self._system = system

    async def append(self, lane: str, keys: Sequence[RevisionKey], *, traceparent: str | None = None) -> None:
        with self._sending(lane, len(keys), traceparent) as carried:
            await self._real.append(lane, keys, **carried)

    async def append_and_read(
        self,
        lane: str,
        keys: Sequence[RevisionKey],
        consumer: str,
        *,
        count: int,
        traceparent: str | None = None,
    ) -> list[Delivery]:
        with self._sending(lane, len(keys), traceparent) as carried:
            return await self._real.append_and_read(lane, keys, consumer, count=count, **carried)

    @contextmanager
    def _sending(self, lane: str, count: int, traceparent: str | None) -> Generator[dict[str, str | None]]:
        """Make a span of what is sent, in that trace or else the current one; give what is to travel on."""
        parent = traceparent or self._tracer.current()
        if parent is None:
            yield {}
            return
        about = {
            "messaging.system": self._system,
            "messaging.destination.name": lane,
            "messaging.operation.name": "append",
            "messaging.operation.type": "send",
            "messaging.batch.message_count": count,
        }
        with spanning(self._tracer, f"send {lane}", "producer", about, parent=parent) as span:
            yield {"traceparent": span.traceparent}


class _SweptStream(_InFront):
    async def append(self, lane: str, keys: Sequence[RevisionKey]) -> None:
        about = {"messaging.destination.name": lane, CONVERSATIONS: len(keys)}
        with spanning(self._tracer, "sweep", "internal", about, parent=None):
            await self._real.append(lane, keys)


class _TracedEvaluator(_InFront):
    def __init__(self, evaluator: Evaluator, tracer: Tracer) -> None:
        super().__init__(evaluator, tracer)
        self.name = evaluator.name
        self.inapplicable = evaluator.inapplicable  # asked of every conversation

    def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        parent = self._tracer.current()
        if parent is None or not conversations:
            return self._real.evaluate(conversations)
        return self._evaluate(conversations, parent)

    async def _evaluate(self, conversations: Sequence[Conversation], parent: str) -> AsyncIterator[Evaluation]:
        about = {
            "healing_eval.evaluator.name": self.name,
            "healing_eval.evaluator.version": str(self._real.version),
            CONVERSATIONS: len(conversations),
        }
        span = self._tracer.start(f"evaluate {self.name}", "internal", about, parent=parent)
        failed, crash, given = 0, None, None
        try:
            given = aiter(self._real.evaluate(conversations))
            while True:
                # Not around the `yield`: what the reader does meanwhile is no part of this.
                with self._tracer.within(span):
                    one = await anext(given, _NO_MORE)
                if one is _NO_MORE:
                    return
                result = getattr(one, "result", None)
                failed += isinstance(result, Failure) and not is_pending(result)
                yield one
        except Exception as error:
            crash = type(error).__name__
            raise
        finally:
            span.note({"healing_eval.failures": failed})
            span.end(crash)
            if hasattr(given, "aclose"):
                await cast("Any", given).aclose()


class _TracedModel(_InFront):
    def __init__(self, model: ChatModel, tracer: Tracer) -> None:
        super().__init__(model, tracer)
        provider, colon, rest = model.name.partition(":")
        self._model = rest if colon else model.name  # else it is a pool
        self._provider = {"gen_ai.provider.name": provider} if colon else {}

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        parent = span_about(request.about) or self._tracer.current()
        if parent is None:
            return await self._real.ask(request)
        with spanning(self._tracer, f"chat {self._model}", "client", self._asked(request), parent=parent) as span:
            answer = await self._real.ask(request)
            span.note(_answered(answer))
            return answer

    def _asked(self, request: ChatRequest) -> Attributes:
        return {
            "gen_ai.operation.name": "chat",
            **self._provider,
            "gen_ai.request.model": self._model,
            "gen_ai.request.max_tokens": request.max_output_tokens,
            "gen_ai.request.temperature": request.temperature,
            "gen_ai.output.type": "text" if request.schema is None else "json",
        }


def _answered(answer: ChatAnswer) -> Attributes:
    known: dict[str, str | int | Sequence[str]] = {"gen_ai.response.model": answer.model}
    if answer.provider is not None:
        known["gen_ai.provider.name"] = answer.provider
    if answer.deployment is not None:
        known["healing_eval.deployment"] = answer.deployment
    if answer.input_tokens is not None:
        known["gen_ai.usage.input_tokens"] = answer.input_tokens
    if answer.output_tokens is not None:
        known["gen_ai.usage.output_tokens"] = answer.output_tokens
    if answer.finish_reason is not None:
        known["gen_ai.response.finish_reasons"] = [answer.finish_reason]
    return known
