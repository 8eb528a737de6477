"""How do machines look after this server? Health, readiness, metrics."""

from __future__ import annotations

from typing import get_args

from litestar import Response, get
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from healing_eval import telemetry
from healing_eval.api.context import AnyRequest, context_of
from healing_eval.api.views import Health
from healing_eval.domain.revision import Status


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
    """Give all metrics; counts of the store and depths of the lanes are read now."""
    services = context_of(request).services
    counts = await services.ledger.count_by_status()
    for status in get_args(Status):
        telemetry.CONVERSATIONS.labels(status).set(counts.get(status, 0))
    for lane in services.panel.lanes:
        telemetry.QUEUE_DEPTH.labels(lane).set(await services.stream.depth(lane))
    return Response(generate_latest(telemetry.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
