"""How does a piece of work become a span?

What several share, as a transaction or a batch, is one span: in the trace of the first of them, and linked with those
of the others, which are linked back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import msgspec

from healing_eval.pipeline.together import MOMENT_SECONDS, Together
from healing_eval.ports.tracer import Attributes, Kind, Span, Tracer

CONVERSATIONS = "healing_eval.conversations"
"""How many conversations a span is about."""

Item = TypeVar("Item")
Done = TypeVar("Done")


@contextmanager
def spanning(
    tracer: Tracer, name: str, kind: Kind, attributes: Attributes, *, parent: str | None, links: Sequence[str] = ()
) -> Generator[Span]:
    """Do something within a span of its own, which says by its class how it failed."""
    span = tracer.start(name, kind, attributes, parent=parent, links=links)
    failed: str | None = None
    try:
        with tracer.within(span):
            yield span
    except BaseException as error:
        failed = type(error).__name__
        raise
    finally:
        span.end(failed)


class _Asked(msgspec.Struct, Generic[Item], frozen=True):
    item: Item
    by: Span | None


class TracedTogether(Generic[Item, Done]):
    """A `Together` that shows who waited for which transaction."""

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Done]]],
        tracer: Tracer,
        what: str,
        *,
        moment_seconds: float = MOMENT_SECONDS,
    ) -> None:
        """Take what `Together` does, who makes spans, and what the items are."""
        self._write = write
        self._tracer = tracer
        self._what = what
        self._together = Together[_Asked[Item], Done](self._write_together, moment_seconds=moment_seconds)

    async def write(self, items: Sequence[Item]) -> list[Done]:
        """Write items, as `Together` does."""
        parent = self._tracer.current()
        if parent is None:
            return await self._together.write([_Asked(item, None) for item in items])
        about = {CONVERSATIONS: len(items)}
        with spanning(self._tracer, f"store {self._what}", "internal", about, parent=parent) as span:
            return await self._together.write([_Asked(item, span) for item in items])

    async def close(self) -> None:
        """Break off, as `Together` does."""
        await self._together.close()

    async def _write_together(self, asked: Sequence[_Asked[Item]]) -> Sequence[Done]:
        items = [one.item for one in asked]
        spans = list({id(one.by): one.by for one in asked if one.by is not None}.values())
        names = [span.traceparent for span in spans if span.traceparent is not None]
        if not names:
            return await self._write(items)
        about = {CONVERSATIONS: len(items)}
        # The task is that of whoever came first to an idle store, so the span it happens to be within says nothing.
        with spanning(self._tracer, "transaction", "internal", about, parent=names[0], links=names[1:]) as transaction:
            for other in spans[1:]:
                if transaction.traceparent is not None:
                    other.link(transaction.traceparent)
            return await self._write(items)


def together(
    write: Callable[[Sequence[Item]], Awaitable[Sequence[Done]]],
    tracer: Tracer | None,
    what: str,
    *,
    moment_seconds: float = MOMENT_SECONDS,
) -> Together[Item, Done] | TracedTogether[Item, Done]:
    """Have items written together, with spans where there is a tracer."""
    if tracer is None:
        return Together(write, moment_seconds=moment_seconds)
    return TracedTogether(write, tracer, what, moment_seconds=moment_seconds)
