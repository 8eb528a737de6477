"""What if the model fails?"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.chaos.fault import Break, Fault

FAILING_SECONDS = 10.0
MANY = 2_000
"""Conversations, at least, of the run with random errors."""
RATE = 0.1
MOST_UNJUDGED = 0.005


def _answers(mode: str) -> Callable[[Break], None]:
    def cause(given: Break) -> None:
        given.site.tell_model(mode=mode)
        time.sleep(FAILING_SECONDS)
        given.site.tell_model(mode="ok")

    return cause


def _fails_at_random(mode: str) -> Callable[[Break], None]:
    """Let one call in ten fail until the very end."""

    def cause(given: Break) -> None:
        given.site.tell_model(mode=mode, rate=RATE)
        while given.client.posted < MANY:
            time.sleep(0.5)

    return cause


FAULTS = (
    Fault(name="model-429", title="model answers 429 for 10 s", cause=_answers("429")),
    Fault(name="model-500", title="model answers 500 for 10 s", cause=_answers("500")),
    Fault(
        name="model-garbage", title="model answers garbage for 10 s", cause=_answers("invalid_json"), most_unjudged=1
    ),
    Fault(name="model-never", title="model never answers for 10 s", cause=_answers("hang")),
    Fault(
        name="model-random",
        title="one model call in ten fails, >= 2,000 conversations",
        cause=_fails_at_random("500"),
        most_unjudged=MOST_UNJUDGED,
    ),
    Fault(
        name="model-random-garbage",
        title="one model answer in ten is garbage, >= 2,000",
        cause=_fails_at_random("invalid_json"),
        most_unjudged=MOST_UNJUDGED,
    ),
)
