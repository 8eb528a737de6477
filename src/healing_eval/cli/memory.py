"""How often are cycles looked for?"""

from __future__ import annotations

import gc

_ALLOCATIONS = 100_000
_ROUNDS = 20


def collect_rarely() -> None:
    """Look for cycles less often: what a batch leaves behind has none, and looking took `evaluate` 4 % of its time.

    What is there already, modules and settings, is not looked at again.
    """
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, _ROUNDS, _ROUNDS)
