"""What is in the store, by rows, and what should be?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

Rows = Callable[[str], list[list[str]]]
"""Asks the store, and gives a row's fields as text."""
EVALUATORS = ("coherence", "heuristic", "judge", "tool_call")
"""Those of every site; each has to have said something about every conversation."""

_HEADS = """
SELECT c.conversation_id, c.status, c.outstanding, c.revision,
    coalesce((SELECT string_agg(e.evaluator, ',' ORDER BY e.evaluator) FROM evaluations e
        WHERE e.conversation_key = c.conversation_key), ''),
    (SELECT count(*) FROM verdicts v WHERE v.conversation_key = c.conversation_key),
    (SELECT count(*) FROM verdicts v WHERE v.conversation_key = c.conversation_key AND v.final)
FROM conversations c
"""
_OPEN = "SELECT count(*) FROM conversations WHERE outstanding <> 0"
_FAILURES = """
SELECT count(*) FILTER (WHERE evaluator = 'judge'),
    count(*) FILTER (WHERE coalesce(reason, '') = '' OR coalesce(failure_kind, '') = '')
FROM evaluations WHERE status = 'failed'
"""


class Counts(msgspec.Struct):
    """What became of the accepted conversations."""

    accepted: int = 0
    lost: int = 0
    """Accepted, but not in the store, given up, or settled without an evaluation of each evaluator and a verdict."""
    twice: int = 0
    """Rows too many: of heads, revisions, evaluations and verdicts."""
    stuck: int = 0
    """Still waiting at the end."""
    unjudged: int = 0
    """Judge evaluations that are failures."""
    unrecorded: int = 0
    """Failures of any evaluator without a reason."""
    examples: list[str] = []
    """The first few that are not as they should be."""


def count_open(rows_of: Rows) -> int:
    """Count the conversations that wait for an evaluator."""
    return int(rows_of(_OPEN)[0][0])


def count(rows_of: Rows, accepted: Iterable[str], given_up: Iterable[str] = ()) -> Counts:
    """Count by the rows; those of `given_up` have to be marked failed, and all others evaluated."""
    counts, missing, expected_failed = Counts(), set(accepted), set(given_up)
    counts.accepted = len(missing)
    seen: set[str] = set()
    for name, status, outstanding, revision, evaluators, verdicts, final in rows_of(_HEADS):
        missing.discard(name)
        found = tuple(evaluators.split(","))
        extra = len(found) - len(set(found)) + max(0, int(verdicts) - 1) + int(revision) - 1 + (name in seen)
        seen.add(name)
        is_settled = outstanding == "0"
        is_whole = status == "done" and set(found) >= set(EVALUATORS) and int(final) == 1
        is_lost = is_settled and not (status == "failed" if name in expected_failed else is_whole)
        counts.twice += extra
        counts.lost += is_lost
        counts.stuck += not is_settled
        if (extra or is_lost or not is_settled) and len(counts.examples) < 5:
            counts.examples.append(
                f"{name} {status} outstanding={outstanding} {evaluators} verdicts={verdicts}/{final}"
            )
    counts.lost += len(missing)
    counts.examples += [f"{name} is not in the store" for name in sorted(missing)[:3]]
    counts.unjudged, counts.unrecorded = map(int, rows_of(_FAILURES)[0])
    return counts
