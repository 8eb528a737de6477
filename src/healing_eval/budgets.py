"""What do settings say may be spent, and before which evaluators does that stand?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from healing_eval import plugins
from healing_eval.config import Settings
from healing_eval.errors import ConfigError
from healing_eval.pipeline.accounts import Accounts
from healing_eval.pipeline.budget import Budget
from healing_eval.pipeline.budgeted import budgeted_evaluator
from healing_eval.ports.evaluator import Evaluator
from healing_eval.ports.spending import NANODOLLARS, Spending
from healing_eval.sections import BudgetSettings


def build_accounts(settings: Settings, known: Collection[str], evaluators: Sequence[Evaluator]) -> Accounts | None:
    """Make the budgets as this process sees them; None if there are none.

    Args:
        settings: where they are set.
        known: names of all evaluators there are.
        evaluators: those that are in force.

    Raises:
        ConfigError: one is for an evaluator that there is not, or that asks no model.
        PluginError: who counts cannot be loaded.
    """
    if not settings.budgets:
        return None
    free = {one.name for one in evaluators if not _is_paid(one)}
    for name, chosen in settings.budgets.items():
        if chosen.evaluator is not None and chosen.evaluator not in known:
            listed = ", ".join(known)
            raise ConfigError(f"budgets.{name}.evaluator: no evaluator {chosen.evaluator!r}; known: {listed}")
        if chosen.evaluator in free:
            raise ConfigError(f"budgets.{name}.evaluator: {chosen.evaluator!r} asks no model, so it costs nothing")
    url = settings.effective_spending_url
    spending = cast("type[Spending]", plugins.load_for_url(plugins.SPENDING, url))
    budgets = [_budget(name, chosen) for name, chosen in settings.budgets.items()]
    return Accounts(budgets, spending.from_url(url))


def within_budgets(evaluators: Sequence[Evaluator], accounts: Accounts | None) -> tuple[Evaluator, ...]:
    """Put the budgets before the evaluators that ask a model; all others cost nothing and always go on."""
    if accounts is None:
        return tuple(evaluators)
    return tuple(budgeted_evaluator(one, accounts) if _is_paid(one) else one for one in evaluators)


def _is_paid(evaluator: Evaluator) -> bool:
    return "model" in evaluator.needs


def _budget(name: str, chosen: BudgetSettings) -> Budget:
    return Budget(
        name=name,
        period=chosen.period,
        project=chosen.project,
        evaluator=chosen.evaluator,
        nanodollars=None if chosen.dollars is None else max(1, round(chosen.dollars * NANODOLLARS)),
        tokens=chosen.tokens,
        soft_share=chosen.soft_share,
        least_share=chosen.least_share,
    )
