"""What did an evaluator find, and what does it all amount to?

An `Evaluation` holds exactly one of three results: `Findings` (it measured), `Abstention` (it looked and has no
opinion, or does not apply) or `Failure` (it broke). Something not measured is never 0, never 1 and never NaN.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Literal

import msgspec

from healing_eval.domain.conversation import TurnId
from healing_eval.domain.issue_types import ISSUE_TYPES, Severity

Outcome = Literal["pass", "fail", "unknown"]


class Score(msgspec.Struct, frozen=True, omit_defaults=True):
    """One named value."""

    name: str
    value: float
    """In [0, 1], 1 best."""
    explanation: str = ""


class Issue(msgspec.Struct, frozen=True, omit_defaults=True):
    """One located defect."""

    type: str
    severity: Severity
    description: str
    signature: str
    """Stable fingerprint: equal for defects of the same make, whatever the conversation."""
    turn_id: TurnId | None = None
    tool_name: str | None = None
    argument: str | None = None
    """JSON Pointer into the call's parameters."""
    evidence: str | None = None
    """A short quote, untrusted."""


def issue(  # noqa: PLR0913 - every part of an issue is one argument, all but two by keyword
    issue_type: str,
    description: str,
    *,
    turn_id: TurnId | None = None,
    tool_name: str | None = None,
    argument: str | None = None,
    evidence: str | None = None,
    severity: Severity | None = None,
    detail: str = "",
) -> Issue:
    """Make an issue of a known type, with its signature.

    Args:
        issue_type: a name in `ISSUE_TYPES`.
        description: one sentence for a person; it may quote the conversation, the signature may not.
        turn_id: where it shows.
        tool_name: the tool concerned.
        argument: JSON Pointer into the parameters; array indices are left out of the signature.
        evidence: a short quote; cut to 300 characters.
        severity: when graver or milder than the type's own.
        detail: what tells two makes of this defect apart, such as the schema keyword; must not hold conversation text.
    """
    return Issue(
        type=issue_type,
        severity=severity or ISSUE_TYPES[issue_type].severity,
        description=description,
        signature=_signature(issue_type, tool_name or "", argument or "", detail),
        turn_id=turn_id,
        tool_name=tool_name,
        argument=argument,
        evidence=evidence[:300] if evidence else None,
    )


@lru_cache(maxsize=8192)
def _signature(issue_type: str, tool_name: str, argument: str, detail: str) -> str:
    """Join what makes defects alike. Cached, since defects that recur are what all this is about."""
    shape = "/".join("*" if part.isdigit() else part for part in argument.split("/"))
    parts = (issue_type, tool_name, shape, detail)
    digest = blake2b("\x1f".join(parts).encode("utf-8", "replace"), digest_size=6).hexdigest()
    label = ":".join(part for part in parts if part)
    return f"{label[:120]}#{digest}"


class Findings(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="status", tag="measured"):
    """The evaluator measured."""

    overall: float
    """In [0, 1], 1 best."""
    scores: tuple[Score, ...] = ()
    issues: tuple[Issue, ...] = ()
    explanation: str = ""
    confidence: float | None = None
    """In [0, 1], only if it was measured."""


class Abstention(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="status", tag="abstained"):
    """The evaluator does not apply or has no opinion."""

    reason: str


class Failure(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="status", tag="failed"):
    """The evaluator broke."""

    reason: str
    kind: str
    """The error's class name, low in cardinality."""
    retryable: bool = False
    raw_answer: str | None = None
    """What the model said, when it was the answer that could not be read."""
    retry_after_seconds: float | None = None
    """When it can be tried, if our own limits held it back. None: it was tried, and failed."""


Result = Findings | Abstention | Failure


class ModelVote(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one of several models said that were asked the same."""

    asked: str
    """The model or pool, as configured."""
    value: float | None
    """Its overall score in [0, 1]; None: it gave none, and `reason` says why."""
    model: str | None = None
    """The model that really answered, as the provider names it."""
    deployment: str | None = None
    reason: str = ""
    cost_dollars: float | None = None
    """None: not known, which is not 0."""


class ModelUse(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which model served, and what it took."""

    model: str
    """The model that really answered, as the provider names it; of several the last."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    calls: int = 1
    cached_input_tokens: int | None = None
    """Those of the input that the server had in its cache, at a lower price; None when it does not say."""
    cost_dollars: float | None = None
    """Of all calls together; None when the price of one is not known, which is not 0."""
    provider: str | None = None
    """Who served, as in `provider:model`."""
    deployment: str | None = None
    """Which deployment of the settings served."""
    requests: int | None = None
    """Sent for it, retries and other deployments included; None: not counted."""
    seconds: float | None = None
    """From question to answer, of all calls together, waits for turns left out; None: not measured."""
    prompt_version: str | None = None
    """Hash of rubric and instructions it was asked with."""
    votes: tuple[ModelVote, ...] = ()
    """Of each model, where several were asked."""


class Evaluation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run of one evaluator version on one conversation."""

    conversation_key: bytes
    evaluator: str
    version: str
    """Hash of the evaluator's code version, rubric, parameters and configured model."""
    result: Result
    deterministic: bool = True
    """Whether the same conversation always gives the same result (no model asked)."""
    latency_seconds: float = 0.0
    model_use: ModelUse | None = None
    evaluated_at: datetime | None = None
    inclusion_probability: float = 1.0
    """With which probability this conversation was chosen to be evaluated by this evaluator, in [0, 1]. What measured
    had one above 0; where it is 0 nothing was evaluated, and no weighing of the others makes up for that."""


class Missing(msgspec.Struct, frozen=True):
    """An evaluator that has no part in a verdict, and why."""

    evaluator: str
    reason: str


class Verdict(msgspec.Struct, frozen=True):
    """All evaluations of one revision, weighed."""

    overall: float | None
    """In [0, 1]; None when too little was measured."""
    outcome: Outcome
    missing: tuple[Missing, ...] = ()
    weights: dict[str, float] = {}
    """Evaluator to its share of `overall`; the shares sum to 1."""
    final: bool = True
    """False while a lane is outstanding."""


_COUNTED_ALIKE = 3

_PENALTY: dict[Severity, float] = {"info": 0.02, "warning": 0.1, "error": 0.4, "critical": 0.8}


def score_of(issues: Iterable[Issue]) -> float:
    """Turn issues into a score in [0, 1]: each multiplies what is left by 1 minus its severity's penalty.

    Penalties: info .02, warning .1, error .4, critical .8. Without issues the score is 1. Of one signature the first
    three count: the tenth timeout of one tool says nothing new, and a long conversation must not fail by its length.
    """
    score = 1.0
    seen: dict[str, int] = {}
    for found in issues:
        times = seen[found.signature] = seen.get(found.signature, 0) + 1
        if times <= _COUNTED_ALIKE:
            score *= 1.0 - _PENALTY[found.severity]
    return score
