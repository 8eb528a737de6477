"""What have others said already, so that nobody has to find it out again?

A judge is told what deterministic checks found. Their lane stores it within moments, and reading it for a whole batch
costs a fraction of running the checks once more. So the lane of the judges waits a little for a conversation that the
checks are still at work on. What it then does not find, or finds of another version, its judges have found out on the
spot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.in_hand import PerConversation
from healing_eval.domain.revision import RevisionKey, StoredRevision
from healing_eval.ports.evaluator import Checks, Fact
from healing_eval.ports.ledger import Found, Ledger

PAUSES_SECONDS = (0.05, 0.25, 0.7, 1.0)
"""Between looks for what checks are still finding out, two seconds in all; an idle site is done by the second look."""


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


FoundByRevision = Mapping[RevisionKey, Mapping[str, Found]]
"""Of revisions, what evaluators found, by name."""


async def read_found(
    ledger: Ledger, revisions: Sequence[StoredRevision], own: Sequence[str], told: Sequence[str]
) -> FoundByRevision:
    """Read what was found in revisions that are about to be evaluated.

    Args:
        ledger: where it is stored.
        revisions: those in hand.
        own: evaluators of this lane of which it is wanted.
        told: evaluators of other lanes, which are waited for where these are still at work.
    """
    wanted = (*own, *told)
    found = await ledger.found(revisions, wanted) if wanted else {}
    waiting = [one for one in revisions if told and one.others_at_work]
    for pause in PAUSES_SECONDS:
        waiting = [one for one in waiting if not found.get(one.revision_key, {}).keys() >= set(told)]
        if not waiting:
            break
        await asyncio.sleep(pause)
        found = {**found, **await ledger.found(waiting, wanted)}
    return found
