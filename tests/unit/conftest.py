"""A tracer, and the collector that gets its spans."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest

from healing_eval import plugins
from healing_eval.ports.tracer import Tracer
from healing_eval.testing.collector import Collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
async def tracer(collector: Collector) -> AsyncIterator[Tracer]:
    """Close it to have the collector see what there is."""
    loaded = cast("type[Tracer]", plugins.load_for_url(plugins.TRACER, collector.endpoint))
    tracer = loaded.from_url(collector.endpoint, service="test", share=1.0)
    yield tracer
    await tracer.close()
