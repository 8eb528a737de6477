"""Does the agent contradict itself, a tool, or what the user asked for?

At most one contradiction a turn: a wrong record often shows in several values.
"""

from __future__ import annotations

from collections.abc import Iterator

from healing_eval.domain.evaluation import Issue
from healing_eval.evaluators.coherence import agreed, polarity, row_claims
from healing_eval.evaluators.coherence.context import Context


def check(context: Context) -> Iterator[Issue]:
    """Compare with the agreed values first, then with the records, then the agent's claims with each other."""
    reported: set[int | str] = set()
    for compare in (agreed.check, row_claims.check, polarity.check):
        for found in compare(context):
            if found.turn_id not in reported and found.turn_id is not None:
                reported.add(found.turn_id)
                yield found
