"""Which workers does one process run?"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from functools import partial

from healing_eval.pipeline.close import Lane
from healing_eval.pipeline.evaluate import PAUSE_EVERY_SECONDS
from healing_eval.pipeline.traced import swept_stream
from healing_eval.sections import WorkerSettings
from healing_eval.wiring import Services
from healing_eval.worker.batches import NAME as BATCHES
from healing_eval.worker.batches import see_to_batches
from healing_eval.worker.loop import LaneWorker
from healing_eval.worker.onward import Onward
from healing_eval.worker.pace import Pace
from healing_eval.worker.schedule import NAME as SCHEDULE
from healing_eval.worker.schedule import RETAINING, Daily, keep_house
from healing_eval.worker.sweep import NAME as SWEEP
from healing_eval.worker.sweep import sweep
from healing_eval.worker.turn import Turn

SLICE_SECONDS = 0.05
"""How long evaluators may keep the event loop where nobody but the workers needs it; what is then ready is stored."""


async def run_crew(
    services: Services,
    stop: asyncio.Event,
    *,
    lanes: Sequence[str] | None = None,
    slice_seconds: float = PAUSE_EVERY_SECONDS,
) -> None:
    """Work on these lanes, or all, sweep and keep house, until `stop` is set and everything in hand is settled.

    Evaluators that wait for nothing keep the event loop for `slice_seconds` at a time.
    """
    panel, tracer = services.panel, services.tracer
    holder = f"{socket.gethostname()}-{os.getpid()}"
    async with asyncio.TaskGroup() as crew:
        for name, worker in _workers(services, panel.lanes if lanes is None else lanes, holder, slice_seconds).items():
            crew.create_task(worker.run(stop), name=f"worker-{name}")
        crew.create_task(
            sweep(
                {lane: panel.lanes_before(lane) for lane in panel.lanes},
                services.ledger,
                services.stream if tracer is None else swept_stream(services.stream, tracer),
                Turn(services.lease, holder, SWEEP),
                stop,
                every_seconds=services.settings.worker.sweep_every_seconds,
            ),
            name="sweep",
        )
        crew.create_task(_daily(services, holder).run(stop), name="schedule")
        if services.batches is not None:
            chosen = services.settings.batches
            every_seconds = min(chosen.gather_seconds, chosen.poll_seconds)
            turn = Turn(services.lease, holder, BATCHES)
            crew.create_task(see_to_batches(services.batches, turn, stop, every_seconds=every_seconds), name="batches")


def _workers(services: Services, lanes: Sequence[str], holder: str, slice_seconds: float) -> dict[str, LaneWorker]:
    """Make who works on each of these lanes: those that come later first, as others hand over to them."""
    panel = services.panel
    workers: dict[str, LaneWorker] = {}
    for name in sorted(lanes, key=lambda lane: len(panel.lanes_after(lane))):
        evaluators, after = panel.on_lane(name), panel.lanes_after(name)
        paid = tuple(one.name for one in evaluators if panel.asks_a_model(one))
        workers[name] = LaneWorker(
            Lane(name, evaluators, panel.rules, services.tracer, paid, panel.known if paid else None),
            services.ledger,
            services.stream,
            _pace(services.settings.worker, slice_seconds, asks_model=bool(paid)),
            consumer=f"{name}-{holder}",
            onward=Onward(services.stream, {later: workers.get(later) for later in after}) if after else None,
        )
    return workers


def _daily(services: Services, holder: str) -> Daily:
    keep_months, alone = services.settings.retention.keep_months, Turn(services.lease, holder, RETAINING)
    chore = partial(keep_house, services.ledger, services.archive, keep_months, alone)
    return Daily(chore, Turn(services.lease, holder, SCHEDULE))


def _pace(settings: WorkerSettings, slice_seconds: float, *, asks_model: bool) -> Pace:
    batch = min(settings.batch, settings.judge_concurrency) if asks_model else settings.batch
    return Pace(
        batch=batch,
        most_in_hand=settings.judge_concurrency if asks_model else None,
        redeliver_after_seconds=settings.redeliver_after_seconds,
        max_attempts=settings.max_attempts,
        slice_seconds=slice_seconds,
        retry_for_seconds=settings.retry_for_seconds,
    )
