"""Which spans has a batch of messages? They come from posts with traces of their own.

With messages of one post, the batch is a span of that post's trace. With messages of several it is one in the trace of
the first, linked with the others; and then each post's trace has a span that tells how long its conversations took.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar

import structlog

from healing_eval.domain.revision import RevisionKey
from healing_eval.pipeline.spans import CONVERSATIONS, spanning
from healing_eval.ports.stream import Delivery
from healing_eval.ports.tracer import Attributes, Span, Tracer

_batch: ContextVar[_BatchSpans | None] = ContextVar("batch_spans", default=None)


async def traced_batch(
    tracer: Tracer, lane: str, deliveries: Sequence[Delivery], work: Callable[[], Awaitable[None]]
) -> None:
    """Do the work on a batch within its spans; without any if no message has a traceparent."""
    posts: dict[str, set[RevisionKey]] = {}
    for one in deliveries:
        if one.traceparent is not None:
            posts.setdefault(one.traceparent, set()).add(one.revision_key)
    if not posts:
        await work()
        return
    first, *others = posts
    about = _about(lane, len(deliveries))
    with spanning(tracer, f"process {lane}", "consumer", about, parent=first, links=others) as span:
        batch = _BatchSpans(tracer, lane, posts, span)
        token = _batch.set(batch)
        try:
            with structlog.contextvars.bound_contextvars(trace_id=first[3:35]):
                await work()
        finally:
            _batch.reset(token)
            batch.end()


def note_done(keys: Iterable[RevisionKey]) -> None:
    """Say that these of the batch in hand are done with."""
    batch = _batch.get()
    if batch is not None:
        batch.done(keys)


def span_about(conversation_key: bytes | None) -> str | None:
    """Name the span of the post that brought a conversation of the batch in hand; None if there is none of its own."""
    batch = _batch.get()
    return None if batch is None or conversation_key is None else batch.about(conversation_key)


class _BatchSpans:
    """The spans of the posts in one batch, if there are several."""

    def __init__(self, tracer: Tracer, lane: str, posts: dict[str, set[RevisionKey]], batch: Span) -> None:
        self._open: dict[str, tuple[Span, set[RevisionKey]]] = {}
        self._posts_of: dict[bytes, list[str]] = {}
        if len(posts) == 1:
            return
        links = [batch.traceparent] if batch.traceparent is not None else []
        for post, keys in posts.items():
            span = tracer.start(f"evaluate on {lane}", "consumer", _about(lane, len(keys)), parent=post, links=links)
            self._open[post] = (span, keys)
            for key in keys:
                self._posts_of.setdefault(key.conversation_key, []).append(post)

    def about(self, conversation_key: bytes) -> str | None:
        open_ones = [self._open[post][0] for post in self._posts_of.get(conversation_key, ()) if post in self._open]
        return open_ones[0].traceparent if open_ones else None

    def done(self, keys: Iterable[RevisionKey]) -> None:
        for key in keys:
            for post in self._posts_of.get(key.conversation_key, ()):
                if post not in self._open:
                    continue
                span, left = self._open[post]
                left.discard(key)
                if not left:
                    span.end()
                    del self._open[post]

    def end(self) -> None:
        """End what is left, because it is given back."""
        for span, left in self._open.values():
            span.note({"healing_eval.given_back": len(left)})
            span.end()
        self._open.clear()


def _about(lane: str, conversations: int) -> Attributes:
    return {
        "messaging.destination.name": lane,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.batch.message_count": conversations,
        CONVERSATIONS: conversations,
    }
