"""Are contradictions found, and only where there are some?"""

from __future__ import annotations

from collections.abc import Iterator

from bench.realdata.panel import judged
from bench.realdata.rows import Row, share

SETS = ("citod", "coherence_perturbations")
CONTRADICTIONS = frozenset({"self_contradiction", "tool_contradiction", "user_contradiction"})


def rows() -> Iterator[Row]:
    for name in SETS:
        yield from _rows_of(name)


def _rows_of(name: str) -> Iterator[Row]:
    cases = [one for one in judged(name) if "coherence" in one.findings]
    for what, wanted in (("contradictions", CONTRADICTIONS), ("any issue of coherence", None)):
        seen = [
            (bool(one.record.failed), bool(one.types("coherence") & wanted if wanted else one.types("coherence")))
            for one in cases
        ]
        flagged = [truth for truth, found in seen if found]
        broken = [found for truth, found in seen if truth]
        untouched = [found for truth, found in seen if not truth]
        yield Row(name, len(flagged), f"{what}: precision", share(flagged), ">= .90")
        yield Row(name, len(broken), f"{what}: recall", share(broken))
        yield Row(name, len(untouched), f"{what}: false alarms on untouched ones", share(untouched), "<= .02")
