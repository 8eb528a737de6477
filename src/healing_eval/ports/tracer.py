"""Who keeps track of how long each part of the work took, across processes?

Where there is no tracer there is None, and nothing is done. A span is named across processes by its `traceparent`, as
W3C Trace Context writes it. Spans hold no content and no ids of conversations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol, Self

Kind = Literal["internal", "server", "client", "producer", "consumer"]
"""Which side of a call a span is, in the words of OpenTelemetry."""

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]
"""Named by OpenTelemetry's semantic conventions where they have a name, else `healing_eval.*`."""


class Span(Protocol):
    """One thing that takes time."""

    traceparent: str | None
    """Names it, for spans below it and links to it. None: it is not among the sampled ones, and nothing is kept."""

    def rename(self, name: str) -> None:
        """Give it the name that became known meanwhile."""
        ...

    def note(self, attributes: Attributes) -> None:
        """Add what became known meanwhile."""
        ...

    def link(self, traceparent: str) -> None:
        """Say that another span, maybe of another trace, belongs to this one."""
        ...

    def end(self, error: str | None = None) -> None:
        """Say that it is over, and how it failed if it did: a class of error, never a text that may quote content."""
        ...


class Tracer(Protocol):
    """Makes spans and sends them away. Nothing here waits for a server; what cannot be sent is dropped."""

    @classmethod
    def from_url(cls, url: str, *, service: str, share: float) -> Self:
        """Make a tracer.

        Args:
            url: of who takes the spans.
            service: what this process calls itself there.
            share: of the traces that begin here, those that are kept, in [0, 1]. Of others the beginner decides.

        Raises:
            ConfigError: the address cannot be one.
        """
        ...

    def current(self) -> str | None:
        """Name the span that this task is within; None if it is within none that is kept."""
        ...

    def start(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        parent: str | None,
        links: Sequence[str] = (),
    ) -> Span:
        """Begin a span.

        Args:
            name: of the kind of work, from a small set.
            kind: which side of a call it is.
            attributes: what is known already.
            parent: a traceparent; None, or what is none, begins a new trace.
            links: traceparents of spans that it works for besides.
        """
        ...

    def within(self, span: Span) -> AbstractContextManager[None]:
        """Do something within a span, which `current` then names, also in tasks that are begun there."""
        ...

    async def close(self) -> None:
        """Send what is left, for a few seconds at most; nothing is kept after that."""
        ...
