"""How much does a worker take at once, and how patient is it?"""

from __future__ import annotations

import msgspec

from healing_eval.pipeline.evaluate import PAUSE_EVERY_SECONDS


class Pace(msgspec.Struct, frozen=True):
    """How much a worker takes, and how patient it is."""

    batch: int = 64
    """Most conversations in one batch."""
    most_in_hand: int | None = None
    """Most conversations in hand, for a lane that waits for a model: so many only while it answers as fast as it did.
    None: one batch. What is settled makes room at once, so what hangs takes up its own place and not its batch's."""
    redeliver_after_seconds: float = 120.0
    """When what its holder says nothing about is claimed; a holder that lives speaks up three times as often."""
    max_attempts: int = 10
    wait_seconds: float = 1.0
    """How long one read waits for a first message."""
    backoff_seconds: float = 1.0
    """Pause after the first failure of a server; doubles with each further attempt, up to a minute."""
    retry_for_seconds: float = 900.0
    """How long a conversation is tried again after a failure that may pass; then the failure is final."""
    slice_seconds: float = PAUSE_EVERY_SECONDS
    """How long evaluators that wait for nothing may keep the event loop."""
    grace_seconds: float = 10.0
    """How long batches in flight may go on after a stop."""
