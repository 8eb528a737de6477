"""What do the deterministic checks know already? The judge is told, and need not find it out again."""

from __future__ import annotations

from typing import Any

from healing_eval.domain.conversation import Conversation, TurnId
from healing_eval.domain.issue_types import SEVERITIES
from healing_eval.domain.storable import storable
from healing_eval.evaluators.judge.fence import Line, record_line
from healing_eval.ports.evaluator import Checks, Fact

MOST_FACTS = 20
_RANKS = {severity: -rank for rank, severity in enumerate(SEVERITIES)}


def facts_about(conversation: Conversation, checks: Checks | None) -> Line | None:
    """Write what a deterministic evaluator found as a line of the block; None if it has no opinion.

    It stands inside the block, since descriptions quote the conversation.
    """
    found = None if checks is None else checks.facts(conversation)
    if found is None:
        return None
    gravest_first = sorted(found, key=lambda one: _RANKS[one.severity])
    return record_line({"checks": [_record(one) for one in gravest_first[:MOST_FACTS]]})


def _record(issue: Fact) -> dict[str, Any]:
    record = {"type": issue.type, "severity": issue.severity, "description": _as_stored(issue.description)}
    return record if issue.turn_id is None else {"turn_id": _as_stored(issue.turn_id), **record}


def _as_stored(value: TurnId) -> TurnId:
    """Write a text as stores keep it: a question must be the same whether its facts were read or found out just now."""
    return value if isinstance(value, int) else storable(value)
