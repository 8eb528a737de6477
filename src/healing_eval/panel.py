"""Which evaluators are in force, what do they ask, and how are they weighed?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import cast

import msgspec

from healing_eval import plugins
from healing_eval.budgets import build_accounts, within_budgets
from healing_eval.config import Settings
from healing_eval.domain.verdict import VerdictRules
from healing_eval.errors import ConfigError, PluginError
from healing_eval.gateway.batched import batched_model
from healing_eval.gateway.remembered import RememberedResults
from healing_eval.models import batch_sites_of, build_router, may_have_to_wait, models_of
from healing_eval.pipeline.accounts import Accounts
from healing_eval.pipeline.known import Known, KnownFacts
from healing_eval.pipeline.traced import traced_evaluator, traced_model
from healing_eval.ports.batch_work import BatchWork
from healing_eval.ports.cache import Cache, Results
from healing_eval.ports.chat_model import ChatModel
from healing_eval.ports.evaluator import Checks, Evaluator, EvaluatorSetup
from healing_eval.ports.tracer import Tracer

CHECKS = "checks"
"""The lane of what needs no model."""


class Panel(msgspec.Struct, frozen=True):
    """The evaluators in force and the rules by which they are weighed."""

    evaluators: tuple[Evaluator, ...]
    rules: VerdictRules
    models: Mapping[str, tuple[ChatModel, ...]] = {}
    """Evaluator to what it asks; one that asks none is not in it."""
    cache: Cache | None = None
    """Where results of those that ask are remembered; None if they are not."""
    accounts: Accounts | None = None
    """What budgets pay for; None if there are none."""
    known: Known | None = None
    """Where those that are told facts look first; None if nobody is told any."""

    @property
    def lanes(self) -> tuple[str, ...]:
        """All lanes on which there may be work, each once, sorted."""
        return tuple(sorted({CHECKS, *(evaluator.lane for evaluator in self.evaluators)}))

    @property
    def lanes_in_use(self) -> tuple[str, ...]:
        """Those on which what comes in now is to travel."""
        return tuple(lane for lane in self.lanes if self.on_lane(lane))

    @property
    def first_lanes(self) -> tuple[str, ...]:
        """Those on which what comes in now begins: the checks, whose findings others are told, if there are any."""
        return (CHECKS,) if CHECKS in self.lanes_in_use else self.lanes_in_use

    def lanes_after(self, lane: str) -> tuple[str, ...]:
        """Those to which a conversation goes on when this one is done with it."""
        return tuple(other for other in self.lanes_in_use if other != CHECKS) if lane == CHECKS else ()

    def lanes_before(self, lane: str) -> tuple[str, ...]:
        """Those that must be done with a conversation before it comes to this one; none before a lane that is empty."""
        return (CHECKS,) if lane != CHECKS and lane in self.lanes_in_use else ()

    def on_lane(self, lane: str) -> tuple[Evaluator, ...]:
        """The evaluators that travel on a lane.

        Who needs a model travels on its own lane only if there is one: without it all that is left to say is that it
        did not measure, and that costs nothing where the others are at work anyway. The lane that is then empty is
        still worked on, since what was accepted while there was a model may wait there.
        """
        return tuple(evaluator for evaluator in self.evaluators if self.lane_of(evaluator) == lane)

    def lane_of(self, evaluator: Evaluator) -> str:
        """The lane that an evaluator travels on."""
        return CHECKS if self.lacks_a_model(evaluator) else evaluator.lane

    def lacks_a_model(self, evaluator: Evaluator) -> bool:
        """Whether it cannot measure, since there is no model for it."""
        return "model" in evaluator.needs and not self.models.get(evaluator.name)

    def asks_a_model(self, evaluator: Evaluator) -> bool:
        """Whether it waits for a model's answers."""
        return "model" in evaluator.needs and bool(self.models.get(evaluator.name))

    async def close(self) -> None:
        """Let go of the models' connections, and charge what is left to be charged."""
        for model in {id(model): model for models in self.models.values() for model in models}.values():
            await model.close()
        if self.cache is not None:
            await self.cache.close()
        if self.accounts is not None:
            await self.accounts.close()


class Instead(msgspec.Struct, frozen=True):
    """What is asked in place of the configured models, whatever evaluators ask; no budget pays for it."""

    model: ChatModel
    cache: Cache | None = None
    """Where results are remembered; None: they are not."""


def build_panel(
    settings: Settings,
    only: Sequence[str] = (),
    tracer: Tracer | None = None,
    instead: Instead | None = None,
    batch_work: BatchWork | None = None,
) -> Panel:
    """Make every evaluator, with its options and weight.

    Args:
        settings: where options, weights and models are set.
        only: names of those to make; none for all.
        tracer: takes the spans they leave, if any.
        instead: what is asked in place of the configured models.
        batch_work: where questions that may wait do so; without, none waits.

    Raises:
        ConfigError: options name an unknown evaluator or are refused by theirs.
        PluginError: an evaluator cannot be loaded.
    """
    known = plugins.found(plugins.EVALUATORS)
    named = (settings.evaluators, settings.models, settings.verdict.weights, settings.batches.not_urgent, only)
    for name in chain.from_iterable(named):
        if name not in known:
            raise ConfigError(f"no evaluator {name!r}; known: {', '.join(known)}")
    classes = {name: _load_evaluator(name) for name in known}
    chosen = [name for name, loaded in classes.items() if (name in only if only else _is_wanted(loaded, settings))]
    if instead is None:
        models = _build_models(settings, classes, chosen, tracer, batch_work)
        cache = build_cache(settings) if any(models.values()) else None
    else:
        models, cache = dict.fromkeys(chosen, (instead.model,)), instead.cache
    not_urgent = settings.batches.not_urgent if batch_work is not None else ()
    parts = _Parts(settings, classes, models, cache, not_urgent)
    evaluators = tuple(parts.build(name) for name in chosen)
    weights = {one.name: settings.verdict.weights.get(one.name, one.weight) for one in evaluators}
    accounts = build_accounts(settings, known, evaluators) if instead is None else None
    evaluators = within_budgets(evaluators, accounts)
    if tracer is not None:
        evaluators = tuple(traced_evaluator(one, tracer) for one in evaluators)
    rules = VerdictRules(weights, settings.verdict.fail_below, settings.verdict.min_measured_weight)
    return Panel(
        evaluators, rules, {name: asked for name, asked in models.items() if asked}, cache, accounts, parts.known
    )


def _is_wanted(loaded: type, settings: Settings) -> bool:
    """Whether an evaluator is on the panel: all are but those that are asked only where a model is named for them."""
    return not getattr(loaded, "opt_in", False) or getattr(loaded, "name", None) in settings.models


def _build_models(
    settings: Settings,
    classes: Mapping[str, type],
    chosen: Sequence[str],
    tracer: Tracer | None,
    batch_work: BatchWork | None,
) -> dict[str, tuple[ChatModel, ...]]:
    """Make what each evaluator asks; those that ask the same share it."""
    asked = {name: models_of(settings, name, opt_in=getattr(classes[name], "opt_in", False)) for name in chosen}
    made: dict[str, ChatModel] = {}
    for name in dict.fromkeys(name for names in asked.values() for name in names):
        router = build_router(settings, name)
        made[name] = router if tracer is None else traced_model(router, tracer)
        if batch_work is not None and batch_sites_of(settings, name):
            made[name] = batched_model(made[name], batch_work, poll_seconds=settings.batches.poll_seconds)
    return {evaluator: tuple(made[name] for name in names) for evaluator, names in asked.items()}


class _Parts:
    """Builds evaluators of what they are made of; each is made once."""

    def __init__(
        self,
        settings: Settings,
        classes: Mapping[str, type],
        models: Mapping[str, Sequence[ChatModel]],
        cache: Cache | None,
        not_urgent: Sequence[str],
    ) -> None:
        self._settings = settings
        self._not_urgent = not_urgent
        self._classes = classes
        self._models = models
        self._cache = cache
        self._built: dict[str, Evaluator] = {}
        self.known = Known()

    def build(self, name: str) -> Evaluator:
        if name not in self._built:
            loaded, models = self._classes[name], self._models.get(name, ())
            facts_from = str(getattr(loaded, "facts_from", None))
            tells = all(hasattr(self._classes.get(facts_from), part) for part in ("facts", "facts_in"))
            found_by = cast("Checks", self.build(facts_from)) if models and tells else None
            checks = None if found_by is None else KnownFacts(found_by, self.known)
            results = build_results(self._settings, self._cache, name) if models else None
            setup = self._setup(name, models, checks, results)
            self._built[name] = _create(loaded, name, setup)
        return self._built[name]

    def _setup(
        self, name: str, models: Sequence[ChatModel], checks: Checks | None, results: Results | None
    ) -> EvaluatorSetup:
        judge = self._settings.judge
        return EvaluatorSetup(
            self._settings.evaluators.get(name, {}),
            next(iter(models), None),
            judge.timeout_seconds,
            judge.wait_seconds if may_have_to_wait(self._settings, models) else 0.0,
            deadline_seconds=judge.deadline_seconds,
            more_models=tuple(models[1:]),
            checks=checks,
            results=results,
            lane="batch" if name in self._not_urgent else "now",
        )


def _load_evaluator(name: str) -> type:
    loaded = plugins.load(plugins.EVALUATORS, name)
    missing = [part for part in _EVALUATOR_PARTS if not hasattr(loaded, part)]
    if missing:
        raise PluginError(f"{plugins.EVALUATORS} {name!r} is no evaluator: it lacks {', '.join(missing)}")
    return loaded


def _create(loaded: type, name: str, setup: EvaluatorSetup) -> Evaluator:
    built = cast("type[Evaluator]", loaded).create(setup)
    if built.name != name:
        raise PluginError(f"{plugins.EVALUATORS} {name!r} calls itself {built.name!r}; both must agree")
    return built


_EVALUATOR_PARTS = ("create", "inapplicable", "evaluate")


def build_cache(settings: Settings) -> Cache | None:
    """Make what keeps results of evaluators that ask a model; None if nothing is to be remembered.

    Raises:
        ConfigError: nothing speaks its scheme, or the address cannot be one.
        PluginError: the plug-in cannot be loaded.
    """
    if not settings.cache.keep_days:
        return None
    url = settings.cache_url
    return cast("type[Cache]", plugins.load_for_url(plugins.CACHE, url)).from_url(url)


def build_results(settings: Settings, cache: Cache | None, evaluator: str) -> Results | None:
    """Make an evaluator's view of the cache that all share; None if nothing is to be remembered."""
    return None if cache is None else RememberedResults(cache, evaluator, settings.cache.keep_seconds)
