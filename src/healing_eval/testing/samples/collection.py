"""Which conversations are the samples?

The stories take turns, so that any part of the list holds something of each. `metadata.story` and
`metadata.expected_outcome` say what a conversation was written for; evaluators do not read them.
"""

from __future__ import annotations

from random import Random

from healing_eval.testing.samples import food, support, travel
from healing_eval.testing.samples.talk import Json

SEED = 7


def sample_conversations(seed: int = SEED) -> list[Json]:
    """Write about 300 conversations in the wire shape of `POST /api/v1/conversations`; the same for the same seed."""
    r = Random(seed)
    written = [*travel.conversations(r), *food.conversations(r), *support.conversations(r)]
    r.shuffle(written)
    return [{"conversation_id": f"sample-{number:03d}", **item} for number, item in enumerate(written, start=1)]
