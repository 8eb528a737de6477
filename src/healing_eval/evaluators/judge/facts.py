"""What do the deterministic checks know already? The judge is told, and need not find it out again."""

from __future__ import annotations

from typing import Any

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Findings, Issue
from healing_eval.domain.issue_types import SEVERITIES
from healing_eval.evaluators.judge.fence import Line, record_line
from healing_eval.ports.evaluator import Evaluator

MOST_FACTS = 20


async def facts_about(conversation: Conversation, checks: Evaluator | None) -> Line | None:
    """Write what a deterministic evaluator found as a line of the block; None if it has no opinion.

    It stands inside the block, since descriptions quote the conversation.
    """
    if checks is None or checks.inapplicable(conversation) is not None:
        return None
    async for evaluation in checks.evaluate([conversation]):
        if isinstance(evaluation.result, Findings):
            gravest_first = sorted(evaluation.result.issues, key=lambda one: -SEVERITIES.index(one.severity))
            return record_line({"checks": [_record(one) for one in gravest_first[:MOST_FACTS]]})
    return None


def _record(issue: Issue) -> dict[str, Any]:
    record = {"type": issue.type, "severity": issue.severity, "description": issue.description}
    return record if issue.turn_id is None else {"turn_id": issue.turn_id, **record}
