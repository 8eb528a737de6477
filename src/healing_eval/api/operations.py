"""How do machines look after this server? Health, readiness, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from litestar import Response, get
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from healing_eval import telemetry
from healing_eval.api.context import AnyRequest, context_of
from healing_eval.api.views import Health
from healing_eval.errors import BackendError
from healing_eval.ports.stream import Stream

PATIENCE_SECONDS = 2.0
"""How long metrics wait for a server; Prometheus waits for ten seconds by default."""


@get("/healthz", operation_id="healthz", summary="Is the process alive?", tags=["operations"])
async def healthz() -> Health:
    """Answer as long as the process does anything at all."""
    return Health("ok")


@get("/readyz", operation_id="readyz", summary="Can requests be served?", tags=["operations"])
async def readyz(request: AnyRequest) -> Health:
    """Answer 200 when the store answers and takes writes, else 503; it recovers by itself."""
    await context_of(request).services.ledger.check()
    return Health("ready")


@get(
    "/metrics",
    operation_id="metrics",
    summary="What does Prometheus read?",
    tags=["operations"],
    media_type="text/plain",
)
async def metrics(request: AnyRequest) -> Response[bytes]:
    """Give all metrics; whether the servers answer, and the depths of the lanes, are found out now."""
    services = context_of(request).services
    store, stream = await asyncio.gather(
        _answers(services.ledger.check()), _answers(_measure_lanes(services.stream, services.panel.lanes))
    )
    telemetry.STORE_UP.set(store)
    telemetry.STREAM_UP.set(stream)
    if not stream:
        telemetry.QUEUE_DEPTH.clear()
    return Response(generate_latest(telemetry.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _answers(asked: Awaitable[None]) -> bool:
    """Tell whether a server does what it is asked, soon enough."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asked
    except (BackendError, TimeoutError):
        return False
    return True


async def _measure_lanes(stream: Stream, lanes: Sequence[str]) -> None:
    for lane in lanes:
        telemetry.QUEUE_DEPTH.labels(lane).set(await stream.depth(lane))
