"""What have others said already, so that nobody has to find it out again?

A judge is told what deterministic checks found. Their lane comes first: it hands on what it found with the
conversation, or else the ledger is asked, for a whole batch at once. What neither says, or says of another version, the
judges have found out on the spot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Findings
from healing_eval.domain.in_hand import PerConversation
from healing_eval.ports.evaluator import Checks, Fact
from healing_eval.ports.ledger import Found


class Known:
    """What was found in the conversations in hand by those whose facts are asked for."""

    def __init__(self) -> None:
        self._found: PerConversation[str, Found | None] = PerConversation(lambda _, _name: None)
        self._asked_for: dict[str, None] = {}

    @property
    def asked_for(self) -> tuple[str, ...]:
        """The evaluators whose facts anybody has asked for so far: the others need not be looked up."""
        return tuple(self._asked_for)

    def note(self, conversation: Conversation, found: Mapping[str, Found]) -> None:
        """Keep what evaluators found in a conversation, for as long as anybody has it in hand."""
        for name, one in found.items():
            self._found.put(conversation, name, one)

    def found(self, conversation: Conversation, evaluator: str) -> Found | None:
        """Give what an evaluator found; None if that is not known."""
        self._asked_for[evaluator] = None
        return self._found(conversation, evaluator)


class KnownFacts:
    """`Checks` that finds out only what is not known."""

    def __init__(self, checks: Checks, known: Known) -> None:
        self.name, self.version = checks.name, checks.version
        self._checks = checks
        self._known = known

    def facts(self, conversation: Conversation) -> Sequence[Fact] | None:
        found = self._known.found(conversation, self.name)
        if found is None or found.version != self.version or found.status == "failed":
            return self._checks.facts(conversation)
        return None if found.status == "abstained" else self.facts_in(found.issues)

    def facts_in(self, issues: Sequence[Fact]) -> Sequence[Fact]:
        return self._checks.facts_in(issues)


def as_found(evaluation: Evaluation) -> Found:
    """Say of an evaluation what a ledger would say that has stored it."""
    result = evaluation.result
    if isinstance(result, Findings):
        return Found(evaluation.version, "measured", result.issues)
    return Found(evaluation.version, "abstained" if isinstance(result, Abstention) else "failed")
