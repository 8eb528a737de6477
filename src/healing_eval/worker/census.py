"""How much is in the store, and how long has it waited? One process counts for all: who has the turn to sweep."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import get_args

import structlog

from healing_eval import telemetry
from healing_eval.domain.revision import Status
from healing_eval.errors import BackendError
from healing_eval.ports.ledger import Ledger

log = structlog.get_logger()

SHARE_OF_TIME = 0.02
"""How much of the time is spent on counting by status at most: the larger the store, the more rarely it is counted."""


class Census:
    """Keeps the gauges of the store."""

    def __init__(self, ledger: Ledger, lanes: Sequence[str]) -> None:
        self._ledger = ledger
        self._lanes = lanes
        self._count_at = 0.0

    async def take(self) -> None:
        """Look how long each lane waits, and count what is in the store unless that was done a moment ago."""
        try:
            await self._measure_ages()
            if time.monotonic() >= self._count_at:
                await self._count()
        except BackendError as error:
            log.warning("census.interrupted", error=str(error))
            self.forget()

    def forget(self) -> None:
        """Give no gauge that nobody keeps: another process does, or none can."""
        telemetry.OLDEST_PENDING_SECONDS.clear()
        telemetry.CONVERSATIONS.clear()

    async def _measure_ages(self) -> None:
        since = {lane: await self._ledger.pending_since(lane) for lane in self._lanes}
        now = await self._ledger.now()
        for lane, accepted_at in since.items():
            age = 0.0 if accepted_at is None else (now - accepted_at).total_seconds()
            telemetry.OLDEST_PENDING_SECONDS.labels(lane).set(max(0.0, age))

    async def _count(self) -> None:
        started = time.monotonic()
        try:
            counts = await self._ledger.count_by_status()
        finally:
            ended = time.monotonic()
            self._count_at = ended + (ended - started) / SHARE_OF_TIME
        for status in get_args(Status):
            telemetry.CONVERSATIONS.labels(status).set(counts.get(status, 0))
