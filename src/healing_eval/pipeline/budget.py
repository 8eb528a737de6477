"""May this conversation still be evaluated for money? Pure: what is spent comes in as an argument.

Up to its soft limit a budget allows everything, from its hard limit on nothing. In between it allows a share of the
conversations that falls evenly, so that a budget that is used up too soon still sees something of the whole period.

Who is among that share follows from conversation and evaluator alone: a number in [0, 1) that is below the share or
not. So the same is decided when something is tried again, and everybody can check it. Nor does the period matter: a
conversation that grows from day to day is not judged in one revision out of two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Literal

import msgspec

from healing_eval.domain.unmeasured import OF_BUDGET
from healing_eval.ports.spending import Period, Spent

State = Literal["ok", "soft", "spent"]


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What may be spent in a period; one of the limits is given at least."""

    name: str
    period: Period
    project: str | None = None
    """None: all projects together."""
    evaluator: str | None = None
    """None: all evaluators that ask a model, together."""
    nanodollars: int | None = None
    tokens: int | None = None
    soft_share: float = 0.8
    """In (0, 1]."""
    least_share: float = 0.1
    """In (0, 1]."""

    def covers(self, evaluator: str, project: str) -> bool:
        """Whether it pays for what this evaluator looks at in this project."""
        return self.evaluator in (None, evaluator) and self.project in (None, project)


class Cost(msgspec.Struct, frozen=True):
    """What evaluations cost; None where that is not known."""

    nanodollars: int | None = 0
    tokens: int | None = 0


class Choice(msgspec.Struct, frozen=True):
    """Whether a conversation is evaluated, and with which probability it was to be."""

    chosen: bool
    probability: float = 1.0
    budget: str = ""
    """The one that allows least."""

    @property
    def reason(self) -> str:
        """Say why it was not chosen."""
        if self.probability > 0:
            return f"{OF_BUDGET}{self.budget} is nearly spent, and this was not among those sampled"
        return f"{OF_BUDGET}{self.budget} is spent"


def spent_share(budget: Budget, spent: Spent, more: Cost | None = None) -> float:
    """Tell which share of the budget is used, of dollars or tokens whichever is more; 1 at the limit.

    Args:
        budget: the limits.
        spent: what is spent in its period.
        more: what is about to be; what is not known counts nothing.
    """
    shares, more = [0.0], more or Cost()
    if budget.nanodollars is not None:
        shares.append((spent.nanodollars + (more.nanodollars or 0)) / budget.nanodollars)
    if budget.tokens is not None:
        shares.append((spent.tokens + (more.tokens or 0)) / budget.tokens)
    return max(shares)


def state_of(budget: Budget, spent: float) -> State:
    """Tell which limit is reached when this share is spent."""
    if spent >= 1:
        return "spent"
    return "soft" if spent >= budget.soft_share else "ok"


def sampled_share(budget: Budget, spent: float) -> float:
    """Tell which share of the conversations is evaluated when this share of the budget is spent, in [0, 1]."""
    state = state_of(budget, spent)
    if state != "soft":
        return 1.0 if state == "ok" else 0.0
    beyond = (spent - budget.soft_share) / (1 - budget.soft_share)
    return 1 - beyond * (1 - budget.least_share)


def draw(conversation_key: bytes, evaluator: str) -> float:
    """Draw a conversation's number for an evaluator, in [0, 1): evenly, independent of all others, always the same."""
    digest = blake2b(conversation_key + evaluator.encode(), digest_size=8, person=b"budget").digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def choose(
    conversations: Sequence[tuple[bytes, Sequence[Budget]]],
    evaluator: str,
    spent: Mapping[str, Spent],
    each: Cost,
) -> list[Choice]:
    """Choose which of these are evaluated, one after the other, as if those before had been paid already.

    Args:
        conversations: the key of each, and the budgets that cover it.
        evaluator: who would evaluate them.
        spent: by the budget's name; of all that occur.
        each: what an evaluation is expected to cost.
    """
    begun: dict[str, int] = {}
    choices: list[Choice] = []
    for key, budgets in conversations:
        share, name = 1.0, ""
        for one in budgets:
            allowed = sampled_share(one, spent_share(one, spent[one.name], _times(each, begun.get(one.name, 0))))
            if allowed < share:
                share, name = allowed, one.name
        choices.append(Choice(draw(key, evaluator) < share, share, name))
        if choices[-1].chosen:
            begun |= {one.name: begun.get(one.name, 0) + 1 for one in budgets}
    return choices


def _times(cost: Cost, count: int) -> Cost:
    return Cost((cost.nanodollars or 0) * count, (cost.tokens or 0) * count)
