"""Are invalid calls told from valid ones by the tools' definitions and the conversation alone?

On bfcl the truth is the verdict of its official checker, which knows the expected calls; the evaluator does not. Only
issues that are decided exactly, and graver than a warning, count as "this call is invalid".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from bench.realdata.panel import Judged, judged
from bench.realdata.rows import Row, share

FORMAL = frozenset(
    (
        "unknown_tool",
        "malformed_arguments",
        "schema_violation",
        "ill_formed_argument",
        "written_call",
        "unmade_call",
        "unfounded_call",
    )
)
GRAVE = frozenset({"error", "critical"})


def rows() -> Iterator[Row]:
    cases = [(one, one.record.truth["valid"] is False) for one in judged("bfcl")]
    flagged = [wrong for one, wrong in cases if _says_invalid(one)]
    yield Row("bfcl", len(flagged), "formal issues: precision for invalid calls", share(flagged), ">= .98")
    said = [_says_invalid(one) for one, wrong in cases if wrong]
    yield Row("bfcl", len(said), "formal issues: recall for invalid calls", share(said))
    yield from _by_error(cases)


def _says_invalid(one: Judged) -> bool:
    found = one.findings.get("tool_call")
    return found is not None and any(issue.type in FORMAL and issue.severity in GRAVE for issue in found.issues)


def _by_error(cases: list[tuple[Judged, bool]]) -> Iterator[Row]:
    """Recall for each kind of error, the most frequent first."""
    said: dict[str, list[bool]] = defaultdict(list)
    for one, wrong in cases:
        if wrong:
            said[str(one.record.truth.get("error_type"))].append(_says_invalid(one))
    for kind, _ in Counter({kind: len(flags) for kind, flags in said.items()}).most_common(8):
        yield Row("bfcl", len(said[kind]), f"recall for {kind}", share(said[kind]))
