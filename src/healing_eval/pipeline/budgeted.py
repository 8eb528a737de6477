"""Who sees to it that an evaluator asks its model no more than is paid for? Stands in front of the evaluator."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from msgspec.structs import replace

from healing_eval import telemetry
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, ModelUse, Result
from healing_eval.errors import BackendError
from healing_eval.pipeline.accounts import Accounts, Admission
from healing_eval.pipeline.budget import Cost
from healing_eval.pipeline.soundness import flaw_of
from healing_eval.ports.evaluator import Evaluator
from healing_eval.ports.spending import NANODOLLARS


def budgeted_evaluator(evaluator: Evaluator, accounts: Accounts) -> Evaluator:
    """Have an evaluator look only at what budgets pay for, and abstain with the reason from the rest.

    One that no budget covers is given back as it is, and a batch that none covers goes to it as it comes.
    """
    if not accounts.covers(evaluator.name):
        return evaluator
    return cast("Evaluator", _BudgetedEvaluator(evaluator, accounts))


class _BudgetedEvaluator:
    def __init__(self, evaluator: Evaluator, accounts: Accounts) -> None:
        self._real: Any = evaluator
        self._accounts = accounts
        self.name = evaluator.name
        self.version = evaluator.version
        self.inapplicable = evaluator.inapplicable  # asked of every conversation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        projects = {one.project for one in conversations}
        covered = {name for name in projects if self._accounts.covering(self.name, name)}
        return self._evaluate(conversations, covered) if covered else self._real.evaluate(conversations)

    async def _evaluate(self, conversations: Sequence[Conversation], covered: set[str]) -> AsyncIterator[Evaluation]:
        asked = [one for one in conversations if one.project not in covered]
        to_pay = [one for one in conversations if one.project in covered]
        paid: dict[bytes, Admission] = {}
        try:
            admissions = await self._accounts.admit(self.name, to_pay)
        except BackendError as error:
            for one in to_pay:
                yield self._instead(one, _unknown(error))
        else:
            for one, admission in zip(to_pay, admissions, strict=True):
                if admission.choice.chosen:
                    paid[one.key] = admission
                    asked.append(one)
                else:
                    choice = admission.choice
                    yield self._instead(one, Abstention(choice.reason), choice.probability)
            self._count_skipped(admissions)
        if not asked:
            return
        given = self._real.evaluate(asked)
        try:
            async for evaluation in given:
                yield self._settled(evaluation, paid)
        finally:
            if hasattr(given, "aclose"):
                await given.aclose()

    def _instead(self, conversation: Conversation, result: Result, probability: float = 1.0) -> Evaluation:
        return Evaluation(
            conversation.key,
            self.name,
            self.version,
            result,
            deterministic=False,
            inclusion_probability=probability,
        )

    def _settled(self, given: Any, paid: dict[bytes, Admission]) -> Any:
        """Charge what an evaluation cost, and note with which probability it came about.

        What is no sound evaluation goes on as it is, to be refused, and what was reserved for it stays charged.
        """
        if not isinstance(given, Evaluation) or flaw_of(given, self.name) is not None:
            return given
        admission = paid.pop(given.conversation_key, None)
        if admission is None or admission.reservation is None:
            return given
        use = given.model_use
        typical = use is not None or not isinstance(given.result, Failure)
        self._accounts.settle(admission.reservation, _cost_of(use), typical=typical)
        probability = admission.choice.probability
        return given if probability == 1 else replace(given, inclusion_probability=probability)

    def _count_skipped(self, admissions: Sequence[Admission]) -> None:
        left_out = [one.choice for one in admissions if not one.choice.chosen]
        for (budget, is_sampled), count in Tally([(one.budget, one.probability > 0) for one in left_out]).items():
            reason = "not_sampled" if is_sampled else "spent"
            telemetry.BUDGET_SKIPPED.labels(budget, self.name, reason).inc(count)


def _unknown(error: BackendError) -> Failure:
    reason = f"what its budget has left cannot be found out: {error}"
    return Failure(reason=reason[:500], kind=type(error).__name__, retryable=True)


def _cost_of(use: ModelUse | None) -> Cost:
    """What was asked of no model, as when the answer was remembered, costs nothing."""
    if use is None or not use.calls:
        return Cost()
    dollars, tokens = use.cost_dollars, (use.input_tokens, use.output_tokens)
    return Cost(
        None if dollars is None else round(dollars * NANODOLLARS),
        None if tokens == (None, None) else sum(one or 0 for one in tokens),
    )
