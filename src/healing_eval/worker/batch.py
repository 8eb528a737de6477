"""What does a worker see through together, and what became of it?"""

from __future__ import annotations

import time

import msgspec

from healing_eval.domain.revision import RevisionKey
from healing_eval.pipeline.close import Step
from healing_eval.ports.stream import Delivery
from healing_eval.worker.onward import HandedOver


class Batch(msgspec.Struct):
    """Messages that are seen through together."""

    open_ones: dict[RevisionKey, Delivery]
    """What is not settled yet."""
    handed: HandedOver
    """What another lane has handed over of it, and maybe of other batches."""
    got_on_at: float = msgspec.field(default_factory=time.monotonic)
    """When it was begun, something was settled, or the ledger was last seen to be at fault."""

    def take_handed(self) -> HandedOver:
        """Give what was handed over, once only: after a failure of the ledger it is to be asked first of all."""
        handed, self.handed = self.handed, {}
        return {key: handed[key] for key in self.open_ones if key in handed}

    def got_on(self) -> None:
        """Note that something of it is settled, or that the ledger is at fault and not an evaluator."""
        self.got_on_at = time.monotonic()


class Tally(msgspec.Struct):
    """What became of a batch's messages."""

    stored: int = 0
    skipped: int = 0
    """There was nothing to do: stored before, out of date, or in the batch twice."""
    failed: int = 0
    postponed: int = 0

    def became(self) -> dict[str, int]:
        """Give all counts by name."""
        return msgspec.structs.asdict(self)

    def add(self, step: Step) -> None:
        """Count what a step brought."""
        self.stored += step.stored
        self.failed += step.failed
        self.skipped += len(step.settled) - step.stored - step.failed
        self.postponed += len(step.postponed)
