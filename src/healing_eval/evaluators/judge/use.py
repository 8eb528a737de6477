"""What did one evaluation take so far?"""

from __future__ import annotations

import msgspec

from healing_eval.domain.evaluation import ModelUse, ModelVote
from healing_eval.ports.chat_model import ChatAnswer


class Use(msgspec.Struct):
    """It grows with each answer."""

    prompt_version: str = ""
    model: str = ""
    calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cost_dollars: float | None = 0.0
    provider: str | None = None
    deployment: str | None = None
    requests: int = 0
    seconds: float | None = None
    remembered: bool = False

    def remember(self, model: str, provider: str | None, deployment: str | None) -> None:
        """Note that the answer is one that this model gave before, which costs nothing now."""
        self.model, self.provider, self.deployment = model, provider, deployment
        self.remembered = True

    def add(self, answer: ChatAnswer, share: tuple[int, int] = (0, 1)) -> None:
        """Count an answer, or the share of one (place, among how many) that several conversations have."""
        self.model, self.provider, self.deployment = answer.model, answer.provider, answer.deployment
        self.calls += 1
        self.requests += answer.requests
        self.input_tokens = _sum(self.input_tokens, _share(answer.input_tokens, share))
        self.output_tokens = _sum(self.output_tokens, _share(answer.output_tokens, share))
        self.cached_input_tokens = _sum(self.cached_input_tokens, _share(answer.cached_input_tokens, share))
        cost = None if answer.cost_dollars is None else answer.cost_dollars / share[1]
        self.cost_dollars = _sum_of_known(self.cost_dollars, cost)
        self.seconds = _add(self.seconds, answer.seconds)

    def freeze(self) -> ModelUse | None:
        """Give what is kept; None if no answer came."""
        if not (self.calls or self.remembered):
            return None
        return ModelUse(
            model=self.model,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            calls=self.calls,
            cached_input_tokens=self.cached_input_tokens,
            cost_dollars=self.cost_dollars,
            provider=self.provider,
            deployment=self.deployment,
            requests=self.requests,
            seconds=self.seconds,
            prompt_version=self.prompt_version,
        )


def together(uses: list[ModelUse], votes: tuple[ModelVote, ...]) -> ModelUse | None:
    """Add up what several models took that were asked the same; the last one names who served."""
    if not uses:
        return None
    total = uses[0]
    for use in uses[1:]:
        total = msgspec.structs.replace(
            use,
            calls=total.calls + use.calls,
            input_tokens=_sum(total.input_tokens, use.input_tokens),
            output_tokens=_sum(total.output_tokens, use.output_tokens),
            cached_input_tokens=_sum(total.cached_input_tokens, use.cached_input_tokens),
            cost_dollars=_sum_of_known(total.cost_dollars, use.cost_dollars),
            requests=_sum(total.requests, use.requests),
            seconds=_add(total.seconds, use.seconds),
        )
    return msgspec.structs.replace(total, votes=votes)


def _share(count: int | None, share: tuple[int, int]) -> int | None:
    """Give a part of a whole number such that all parts add up to it."""
    place, parts = share
    return None if count is None else count // parts + (place < count % parts)


def _sum(before: int | None, more: int | None) -> int | None:
    return before if more is None else (before or 0) + more


def _add(before: float | None, more: float | None) -> float | None:
    return before if more is None else (before or 0.0) + more


def _sum_of_known(before: float | None, more: float | None) -> float | None:
    """Add what something costs; a sum that lacks a part is not known."""
    return None if before is None or more is None else before + more
