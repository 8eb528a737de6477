"""What do the models that are asked about one conversation say of it, by the time its time is up?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import reduce

import msgspec

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Failure, Findings, ModelUse
from healing_eval.evaluators.judge.asker import Asked, Asker
from healing_eval.evaluators.judge.ballots import MissingVote, NoVote
from healing_eval.evaluators.judge.cascade import Band, is_uncertain, settle
from healing_eval.evaluators.judge.correlation import Correlations
from healing_eval.evaluators.judge.ensemble import combine
from healing_eval.evaluators.judge.fence import Line
from healing_eval.evaluators.judge.options import Options
from healing_eval.evaluators.judge.panel import ballot_of, failure_of_all, findings_of, pending_among, vote_of
from healing_eval.evaluators.judge.use import together

Said = dict[str, Asked]
"""What each model that was asked said, by its name; it grows. One that has not answered has the failure that it will
be if it never does, and what asking it took so far."""


class Poll:
    """Asks one model, several, or one after the other, and makes one result of what they say."""

    def __init__(self, askers: Sequence[Asker], options: Options) -> None:
        """Take who asks each model, and how their words become one; at least one, each model once."""
        self._askers = {one.model.name: one for one in askers}
        self._options = options
        self._band = Band(*options.band)
        self._correlations = Correlations(list(self._askers)) if len(askers) > 1 else None
        self.only = askers[0] if len(askers) == 1 else None
        """Who asks the one model; None if there are several."""

    async def ask(self, conversation: Conversation, facts: Line | None, said: Said, until_answered: Failure) -> None:
        """Ask, and note what is said in `said`, where it stays when whoever waits for it gives up."""

        async def ask_one(name: str) -> Asked:
            use = self._askers[name].new_use()
            said[name] = Asked(until_answered, use)
            said[name] = await self._askers[name].ask(conversation, facts, use)
            return said[name]

        if self.only is not None:
            await ask_one(self.only.model.name)
        elif self._options.combine == "cascade":
            await self._ask_in_turn(ask_one)
        else:
            await asyncio.gather(*map(ask_one, self._askers))

    def result_of(self, said: Said) -> Findings | Failure:
        """Make one result of what was said; who said nothing is a missing vote."""
        given = list(said.values())
        if self.only is not None:
            return given[0].result
        if (pending := pending_among(given)) is not None:
            return pending
        return _stands(said) if self._options.combine == "cascade" else self._combined(said)

    def use_of(self, said: Said) -> ModelUse | None:
        """Add up what the answers took; None if there were none."""
        uses = [use for one in said.values() if (use := one.use.freeze()) is not None]
        if self.only is not None:
            return uses[0] if uses else None
        return together(uses, tuple(vote_of(name, one) for name, one in said.items()))

    async def _ask_in_turn(self, ask_one: Callable[[str], Awaitable[Asked]]) -> None:
        """Ask one after the other, for as long as those before leave it uncertain."""
        stands: Asked | None = None
        for name in self._askers:
            if stands is not None and not is_uncertain(ballot_of("stands", stands), self._band):
                break
            asked = await ask_one(name)
            if pending_among([asked]) is not None:
                break
            stands = asked if stands is None else _settled(stands, asked)

    def _combined(self, said: Mapping[str, Asked]) -> Findings | Failure:
        weights = self._options.weights
        ballots = [ballot_of(name, one, weights.get(name, 1.0)) for name, one in said.items()]
        if self._correlations is not None:
            self._correlations.add({one.judge: one.value for one in ballots if not isinstance(one, MissingVote)})
        method = "mean" if self._options.combine == "cascade" else self._options.combine
        combined = combine(ballots, method, self._correlations)
        if isinstance(combined, NoVote):
            return failure_of_all(combined, list(said.values()))
        return findings_of(combined, said)


def _stands(said: Mapping[str, Asked]) -> Findings | Failure:
    """Give the word that stands of those that were said one after the other."""
    stands = reduce(_settled, said.values()).result
    if isinstance(stands, Findings):
        return stands
    missing = tuple(MissingVote(name, _reason(one)) for name, one in said.items())
    return failure_of_all(NoVote(missing), list(said.values()))


def _settled(cheap: Asked, strong: Asked) -> Asked:
    """Let the later word stand; if there is none, the earlier one without any confidence."""
    outcome = settle(ballot_of("cheap", cheap), ballot_of("strong", strong))
    if isinstance(outcome, NoVote) or outcome.stands == "strong":
        return strong
    assert isinstance(cheap.result, Findings)
    return msgspec.structs.replace(cheap, result=msgspec.structs.replace(cheap.result, confidence=outcome.confidence))


def _reason(asked: Asked) -> str:
    return asked.result.reason if isinstance(asked.result, Failure) else "uncertain"
