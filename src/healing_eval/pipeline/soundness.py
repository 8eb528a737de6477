"""Is what an evaluator gave an evaluation that can be kept? Plug-ins are other people's code, and types do not bind."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, ModelUse, ModelVote
from healing_eval.domain.issue_types import SEVERITIES

_KNOWN_SEVERITIES = frozenset(SEVERITIES)


def flaw_of(evaluation: Evaluation, evaluator_name: str) -> str | None:
    """Say why an evaluation cannot be kept as it is; None if it can.

    Kept is what the API can show and the verdict can weigh: scores in [0, 1], known severities, texts that are texts.
    """
    try:
        if evaluation.evaluator != evaluator_name:
            return f"the evaluator signs as {evaluation.evaluator!r}; its name is {evaluator_name!r}"
        return (
            _flaw_of_latency(evaluation.latency_seconds)
            or _flaw_of_result(evaluation.result)
            or _flaw_of_use(evaluation.model_use)
        )
    except Exception as error:  # noqa: BLE001 - anything at all may stand where a field should
        return f"the evaluator's result is malformed: {type(error).__name__}: {error}"[:300]


def _flaw_of_latency(seconds: Any) -> str | None:
    if seconds is not None and _is_amount(seconds):
        return None
    return f"the evaluator's latency_seconds is {seconds!r}; expected a number from 0"[:300]


def _flaw_of_result(result: Any) -> str | None:
    if isinstance(result, Findings):
        return _flaw_of_findings(result)
    if isinstance(result, Abstention):
        return _flaw_of_texts((result.reason,))
    if isinstance(result, Failure):
        return _flaw_of_texts((result.reason, result.kind, result.raw_answer or ""))
    return f"the evaluator gave a {type(result).__name__}; expected Findings, Abstention or Failure"


def _flaw_of_findings(findings: Findings) -> str | None:
    if not _is_share(findings.overall):
        return f"the evaluator scored {findings.overall!r}; a score lies in [0, 1]"
    if findings.confidence is not None and not _is_share(findings.confidence):
        return f"the evaluator's confidence is {findings.confidence!r}; it lies in [0, 1]"
    texts = [findings.explanation]
    for score in findings.scores:
        if not _is_share(score.value):
            return f"the evaluator's score {score.name!r} is {score.value!r}; a score lies in [0, 1]"
        texts += (score.name, score.explanation)
    for issue in findings.issues:
        if issue.severity not in _KNOWN_SEVERITIES:
            return f"the evaluator's issue has the severity {issue.severity!r}; expected one of {', '.join(SEVERITIES)}"
        place = issue.turn_id if isinstance(issue.turn_id, str) else ""
        texts += (issue.type, issue.description, issue.signature, place)
        texts += (issue.tool_name or "", issue.argument or "", issue.evidence or "")
    return _flaw_of_texts(texts)


def _flaw_of_use(use: Any) -> str | None:
    """Look at what is added up over all evaluations, where one that is no number would spoil the sum for good."""
    if use is None:
        return None
    if not isinstance(use, ModelUse):
        return f"the evaluator's model_use is a {type(use).__name__}; expected ModelUse"
    counts = (use.input_tokens, use.output_tokens, use.cached_input_tokens, use.requests)
    if not all(map(_is_count, (use.calls, *(count for count in counts if count is not None)))):
        return "the evaluator's model_use counts something else than whole numbers from 0"
    if not _is_amount(use.seconds):
        return f"the evaluator's model_use took {use.seconds!r} seconds; expected a number from 0, or None"
    if not _is_amount(use.cost_dollars):
        return f"the evaluator's cost_dollars is {use.cost_dollars!r}; a cost is a number from 0, or None"
    return _flaw_of_votes(use.votes)


def _is_amount(value: Any) -> bool:
    """Whether it is a number from 0, or None for not known."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value < inf)


def _flaw_of_votes(votes: Any) -> str | None:
    if not votes:
        return None
    if not all(isinstance(vote, ModelVote) and (vote.value is None or _is_share(vote.value)) for vote in votes):
        return "the evaluator's votes are something else than scores in [0, 1], or None, of models"
    return None


def _flaw_of_texts(texts: Iterable[str]) -> str | None:
    together = "".join(texts)
    if together.isascii():
        return None
    try:
        together.encode()
    except UnicodeEncodeError:
        return "the evaluator's texts hold half a surrogate pair, which no store keeps"
    return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: Any) -> bool:
    if type(value) is float:
        return 0.0 <= value <= 1.0
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0
