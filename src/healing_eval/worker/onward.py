"""Where does a conversation go when a lane is done with it? To the lanes after it, and there first to this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog

from healing_eval import telemetry
from healing_eval.domain.revision import RevisionKey
from healing_eval.errors import BackendError
from healing_eval.pipeline.close import Handed
from healing_eval.ports.stream import Delivery, Stream

log = structlog.get_logger()

HandedOver = Mapping[RevisionKey, Handed]
"""What can be gone on with as it is; what is not in it has to be loaded."""


class TakesOver(Protocol):
    """Works on a lane in this process."""

    async def take_over(self, keys: Sequence[RevisionKey], handed: HandedOver, *, traceparent: str | None) -> None:
        """Ring for conversations, and begin with as many as there is room for.

        Raises:
            BackendError: the stream cannot take them now.
        """
        ...


class Onward:
    """Rings the lanes that come after one. What cannot be rung now is found by the sweeper."""

    def __init__(self, stream: Stream, lanes: Mapping[str, TakesOver | None]) -> None:
        """Take the lanes that come next, each with who works on it in this process, if anybody does."""
        self._stream = stream
        self._lanes = lanes

    async def ring(self, done: Sequence[Delivery], handed: HandedOver) -> None:
        """Let conversations go on, each in the trace that its message came with."""
        posts: dict[str | None, list[RevisionKey]] = {}
        for one in done:
            posts.setdefault(one.traceparent, []).append(one.revision_key)
        for name, worker in self._lanes.items():
            for traceparent, keys in posts.items():
                try:
                    if worker is None:
                        await self._stream.append(name, keys, traceparent=traceparent)
                    else:
                        await worker.take_over(keys, handed, traceparent=traceparent)
                except BackendError as error:
                    telemetry.UNRUNG.labels(name).inc(len(keys))
                    log.warning("stream.unwritable", lane=name, conversations=len(keys), error=str(error))
