"""What do many verdicts say together? Counted one by one, in memory that does not grow with them."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, Issue, Outcome, Verdict
from healing_eval.domain.issue_types import SEVERITIES, Severity
from healing_eval.metaeval.intervals import Interval, RunningMean, wilson_interval

GRAVITY: dict[Severity, int] = {severity: gravity for gravity, severity in enumerate(SEVERITIES)}
"""Severity to its place, from 0 for the mildest."""

_GRAVE = GRAVITY["error"]
_QUOTE = 300
"""Characters kept of a text that somebody else wrote."""
_NO_OVERALL = -2.0  # below every negated score, so that a conversation without one ranks after those that have one


class Bounds(msgspec.Struct, frozen=True):
    """How much a summary remembers. What does not fit is counted together and reported as such."""

    worst: int = 10
    worst_alike: int = 3
    """Of the worst, how many may have the same top issue: the tenth of one make tells nothing new."""
    signatures: int = 4000
    agent_versions: int = 4000
    reasons: int = 20
    """Different reasons per evaluator."""
    examples: int = 3
    """Conversations named per signature."""


class Tally:
    """How a group of conversations did."""

    __slots__ = ("fails", "overall", "passes", "unknown")

    def __init__(self) -> None:
        self.passes = 0
        self.fails = 0
        self.unknown = 0
        self.overall = RunningMean()

    def add(self, verdict: Verdict) -> None:
        """Count one verdict."""
        if verdict.outcome == "pass":
            self.passes += 1
        elif verdict.outcome == "fail":
            self.fails += 1
        else:
            self.unknown += 1
        if verdict.overall is not None:
            self.overall.add(verdict.overall)

    @property
    def n(self) -> int:
        """All conversations, those without an outcome included."""
        return self.passes + self.fails + self.unknown

    @property
    def decided(self) -> int:
        """Those that passed or failed."""
        return self.passes + self.fails

    def pass_share(self) -> Interval | None:
        """Share of passes among those that passed or failed; None when there are none."""
        return wilson_interval(self.passes, self.decided)


class EvaluatorTally:
    """What one evaluator did: measured, abstained, or broke."""

    __slots__ = ("abstained", "example_failure", "failed", "reasons", "scores")

    def __init__(self) -> None:
        self.scores = RunningMean()
        self.abstained = 0
        self.failed = 0
        self.reasons: Counter[str] = Counter()
        """Why it did not measure, and how often: its reasons for abstaining, and the kinds of its failures."""
        self.example_failure: str | None = None
        """What the first failure said; untrusted."""

    @property
    def measured(self) -> int:
        """How many conversations it measured."""
        return self.scores.n


class SignatureTally:
    """How often one make of defect came up."""

    __slots__ = ("conversations", "description", "examples", "occurrences", "severity", "signature", "type")

    def __init__(self, first: Issue) -> None:
        self.signature = first.signature
        self.type = first.type
        self.severity: Severity = first.severity
        """The gravest seen."""
        self.description = first.description[:_QUOTE]
        """What the first one said; untrusted."""
        self.conversations = 0
        self.occurrences = 0
        self.examples: list[str] = []


class WorstConversation(msgspec.Struct, frozen=True):
    """A conversation to look at first."""

    conversation_id: str
    agent_version: str
    overall: float | None
    outcome: Outcome
    grave_issues: int
    """Issues of severity error or critical."""
    issues: int
    top_issue: Issue | None
    """The gravest, the first among equals."""


_Ranked = tuple[tuple[bool, float, int], int, WorstConversation]
"""How bad, how early, and what. No two are equally early, so conversations are never compared."""


class Summary:
    """Counts verdicts as they come in.

    Attributes:
        total: all conversations together.
        unevaluable: those without an assistant turn; they are in no other count.
        versions: per agent version; those beyond the bound are in `other_versions`.
        evaluators: per evaluator name.
        signatures_dropped: occurrences of rare signatures that were forgotten to stay within the bound. When it is not
            zero, the counts of the rare ones that are left are lower bounds.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self.total = Tally()
        self.unevaluable = 0
        self.versions: dict[str, Tally] = {}
        self.other_versions = Tally()
        self.evaluators: dict[str, EvaluatorTally] = {}
        self.signatures_dropped = 0
        self._signatures: dict[str, SignatureTally] = {}
        self._worst: dict[str, list[_Ranked]] = {}
        """Signature of the top issue to the worst of those that have it."""

    def add(
        self, conversation_id: str, agent_version: str, verdict: Verdict, evaluations: Sequence[Evaluation]
    ) -> None:
        """Count one evaluated conversation."""
        self.total.add(verdict)
        self._version(agent_version).add(verdict)
        issues: list[Issue] = []
        for evaluation in evaluations:
            self._count_evaluation(evaluation)
            if isinstance(evaluation.result, Findings):
                issues.extend(evaluation.result.issues)
        if issues:
            self._count_issues(conversation_id, issues)
        if issues or verdict.outcome == "fail":
            self._consider(conversation_id, agent_version, verdict, issues)

    def add_unevaluable(self) -> None:
        """Count a conversation in which the agent neither said nor did anything."""
        self.unevaluable += 1

    @property
    def measured(self) -> int:
        """Conversations that have a score or an outcome."""
        return max(self.total.overall.n, self.total.decided)

    def worst(self) -> list[WorstConversation]:
        """Those that failed first, then by overall score, then by grave issues; those without an issue are left out.

        Only a few with the same top issue are among them.
        """
        everything = [entry for alike in self._worst.values() for entry in alike]
        return [conversation for *_, conversation in heapq.nlargest(self.bounds.worst, everything)]

    def top_signatures(self, limit: int) -> list[SignatureTally]:
        """Those seen in most conversations, the graver first among equals."""
        return heapq.nlargest(limit, self._signatures.values(), key=_prevalence)

    @property
    def signature_count(self) -> int:
        """How many different signatures are remembered."""
        return len(self._signatures)

    def _version(self, agent_version: str) -> Tally:
        tally = self.versions.get(agent_version)
        if tally is not None:
            return tally
        if len(self.versions) >= self.bounds.agent_versions:
            return self.other_versions
        return self.versions.setdefault(agent_version, Tally())

    def _count_evaluation(self, evaluation: Evaluation) -> None:
        tally = self.evaluators.get(evaluation.evaluator)
        if tally is None:
            tally = self.evaluators[evaluation.evaluator] = EvaluatorTally()
        result = evaluation.result
        if isinstance(result, Findings):
            tally.scores.add(result.overall)
        elif isinstance(result, Abstention):
            tally.abstained += 1
            self._count_reason(tally, result.reason)
        else:
            self._count_failure(tally, result)

    def _count_failure(self, tally: EvaluatorTally, failure: Failure) -> None:
        tally.failed += 1
        if tally.example_failure is None:
            tally.example_failure = failure.reason[:_QUOTE]
        self._count_reason(tally, f"failed: {failure.kind}")

    def _count_reason(self, tally: EvaluatorTally, reason: str) -> None:
        short = reason[:_QUOTE]
        known = short in tally.reasons or len(tally.reasons) < self.bounds.reasons
        tally.reasons[short if known else "other reasons"] += 1

    def _count_issues(self, conversation_id: str, issues: Iterable[Issue]) -> None:
        seen: set[str] = set()
        for found in issues:
            tally = self._signatures.get(found.signature)
            if tally is None:
                tally = self._signatures[found.signature] = SignatureTally(found)
            tally.occurrences += 1
            if found.severity != tally.severity and GRAVITY[found.severity] > GRAVITY[tally.severity]:
                tally.severity = found.severity
            if found.signature not in seen:
                seen.add(found.signature)
                tally.conversations += 1
                if len(tally.examples) < self.bounds.examples:
                    tally.examples.append(conversation_id)
        if len(self._signatures) > 2 * self.bounds.signatures:
            self._forget_rare_signatures()

    def _forget_rare_signatures(self) -> None:
        kept = self.top_signatures(self.bounds.signatures)
        before = sum(tally.occurrences for tally in self._signatures.values())
        self._signatures = {tally.signature: tally for tally in kept}
        self.signatures_dropped += before - sum(tally.occurrences for tally in kept)

    def _consider(self, conversation_id: str, agent_version: str, verdict: Verdict, issues: Sequence[Issue]) -> None:
        """Remember the conversation if it is among the worst."""
        grave = sum([GRAVITY[found.severity] >= _GRAVE for found in issues])
        overall = _NO_OVERALL if verdict.overall is None else -verdict.overall
        rank = (verdict.outcome == "fail", overall, grave)
        top = max(issues, key=_gravity, default=None)
        alike = self._worst.setdefault(top.signature if top else "", [])
        if len(alike) >= self.bounds.worst_alike and rank <= alike[0][0]:
            return
        conversation = WorstConversation(
            conversation_id=conversation_id,
            agent_version=agent_version,
            overall=verdict.overall,
            outcome=verdict.outcome,
            grave_issues=grave,
            issues=len(issues),
            top_issue=top,
        )
        heapq.heappush(alike, (rank, -self.total.n, conversation))
        if len(alike) > self.bounds.worst_alike:
            heapq.heappop(alike)
        if len(self._worst) > self.bounds.signatures:
            self._forget_mild_ones()

    def _forget_mild_ones(self) -> None:
        """Keep the makes of issue whose worst conversation may still be among the worst of all."""
        by_worst = sorted(self._worst.items(), key=lambda item: max(item[1])[:2], reverse=True)
        self._worst = dict(by_worst[: max(1, self.bounds.worst)])


def _gravity(found: Issue) -> int:
    return GRAVITY[found.severity]


def _prevalence(tally: SignatureTally) -> tuple[int, int, int]:
    return tally.conversations, GRAVITY[tally.severity], tally.occurrences
