"""What do several models say together?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from healing_eval.domain.evaluation import Failure, Findings, Issue, ModelVote, Score
from healing_eval.domain.issue_types import SEVERITIES
from healing_eval.errors import AnswerPending
from healing_eval.evaluators.judge.asker import Asked
from healing_eval.evaluators.judge.ballots import Ballot, MissingVote, NoVote, Vote
from healing_eval.evaluators.judge.ensemble import Combined

MOST_ISSUES = 50
MOST_EXPLANATION = 500


def ballot_of(judge: str, asked: Asked, weight: float = 1.0) -> Ballot:
    """Take what one model said as its vote."""
    if isinstance(asked.result, Findings):
        return Vote(judge, asked.result.overall, weight, asked.result.confidence)
    return MissingVote(judge, asked.result.reason, weight)


def vote_of(judge: str, asked: Asked) -> ModelVote:
    """Write down what one model said."""
    use = asked.use.freeze()
    return ModelVote(
        asked=judge,
        value=asked.result.overall if isinstance(asked.result, Findings) else None,
        model=use.model if use else None,
        deployment=use.deployment if use else None,
        reason=asked.result.reason if isinstance(asked.result, Failure) else "",
        cost_dollars=use.cost_dollars if use else None,
    )


def findings_of(combined: Combined, asked: Mapping[str, Asked]) -> Findings:
    """Make one result of what several models found."""
    found = {name: one.result for name, one in asked.items() if isinstance(one.result, Findings)}
    return Findings(
        overall=combined.value,
        scores=_scores(found),
        issues=_issues(list(found.values())),
        explanation=explain(combined, len(asked)),
        confidence=combined.confidence,
    )


def explain(combined: Combined, asked: int) -> str:
    """Say who voted how, and how many votes they amount to."""
    said = [f"{one.judge} {one.value:.2f}" for one in combined.votes]
    said += [f"{one.judge} gave no vote: {one.reason}" for one in combined.missing]
    counted = f"{len(combined.votes)} of {asked} models voted: {', '.join(said)}"
    worth = combined.effective_votes
    told = "not measured yet" if worth is None else f"{worth:.1f}"
    return f"{counted[:MOST_EXPLANATION]}; effective votes {told}"


def pending_among(asked: Sequence[Asked]) -> Failure | None:
    """Give the failure of one whose answer is on its way in a batch, for which the others wait; None: no such."""
    failures = (one.result for one in asked if isinstance(one.result, Failure))
    return next((one for one in failures if one.kind == AnswerPending.__name__), None)


def failure_of_all(no_vote: NoVote, asked: Sequence[Asked]) -> Failure:
    """Say why no model voted; it may be tried again if any of them may."""
    failures = [one.result for one in asked if isinstance(one.result, Failure)]
    retryable = [one for one in failures if one.retryable]
    first = (retryable or failures)[0]
    waits = [one.retry_after_seconds for one in retryable]
    known = [wait for wait in waits if wait is not None]
    return msgspec.structs.replace(
        first,
        reason=no_vote.reason[:MOST_EXPLANATION],
        retry_after_seconds=min(known) if known and len(known) == len(waits) else None,
    )


def _scores(found: Mapping[str, Findings]) -> tuple[Score, ...]:
    """Take the mean of each criterion over those that graded it."""
    given: dict[str, list[tuple[str, Score]]] = defaultdict(list)
    for judge, findings in found.items():
        for score in findings.scores:
            given[score.name].append((judge, score))
    return tuple(
        Score(
            name,
            sum(score.value for _, score in scores) / len(scores),
            "; ".join(f"{judge} {score.value:.1f}: {score.explanation}" for judge, score in scores),
        )
        for name, scores in given.items()
    )


def _issues(found: Sequence[Findings]) -> tuple[Issue, ...]:
    """Join what they found, each defect once, the gravest first; how many of them saw it is said with it."""
    seen: dict[tuple[str, object], list[Issue]] = defaultdict(list)
    for findings in found:
        for place in {(issue.type, issue.turn_id): issue for issue in reversed(findings.issues)}.items():
            seen[place[0]].append(place[1])
    joined = [
        msgspec.structs.replace(
            max(issues, key=lambda one: SEVERITIES.index(one.severity)),
            description=f"{issues[0].description} ({len(issues)} of {len(found)} models)",
        )
        for issues in seen.values()
    ]
    return tuple(sorted(joined, key=lambda one: -SEVERITIES.index(one.severity))[:MOST_ISSUES])
