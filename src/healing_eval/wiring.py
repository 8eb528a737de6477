"""How do settings become concrete objects? The composition root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast
from urllib.parse import urlsplit

import msgspec

from healing_eval import plugins
from healing_eval.budgets import build_accounts, within_budgets
from healing_eval.config import Settings
from healing_eval.domain.verdict import VerdictRules
from healing_eval.errors import ConfigError, PluginError
from healing_eval.gateway.remembered import RememberedResults
from healing_eval.models import build_router, may_have_to_wait, models_of
from healing_eval.pipeline.accounts import Accounts
from healing_eval.pipeline.backlog import Backlog
from healing_eval.pipeline.timed import timed_ledger, timed_stream
from healing_eval.pipeline.traced import traced_evaluator, traced_model, traced_stream
from healing_eval.ports.archive import Archive
from healing_eval.ports.cache import Cache, Results
from healing_eval.ports.catalog import Catalog
from healing_eval.ports.chat_model import ChatModel
from healing_eval.ports.evaluator import Checks, Evaluator, EvaluatorSetup
from healing_eval.ports.lease import Lease
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.stream import Stream
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

    @property
    def lanes(self) -> tuple[str, ...]:
        """All lanes on which there may be work, each once, sorted."""
        return tuple(sorted({CHECKS, *(evaluator.lane for evaluator in self.evaluators)}))

    @property
    def lanes_in_use(self) -> tuple[str, ...]:
        """Those on which what comes in now is to travel."""
        return tuple(lane for lane in self.lanes if self.on_lane(lane))

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


class Services(msgspec.Struct, frozen=True):
    """Everything a server process holds, not opened yet."""

    settings: Settings
    ledger: Ledger
    catalog: Catalog
    stream: Stream
    lease: Lease
    panel: Panel
    backlog: Backlog
    archive: Archive | None = None
    tracer: Tracer | None = None

    async def open(self) -> None:
        """Open the stores and the stream."""
        await self.ledger.open()
        await self.catalog.open()
        await self.stream.open(self.panel.lanes)

    async def close(self) -> None:
        """Close everything, the model included; first what may be using the rest."""
        await self.backlog.close()
        if self.archive is not None:
            await self.archive.close()
        await self.lease.close()
        await self.stream.close()
        await self.panel.close()
        await self.catalog.close()
        await self.ledger.close()
        if self.tracer is not None:
            await self.tracer.close()


def build_panel(
    settings: Settings,
    only: Sequence[str] = (),
    tracer: Tracer | None = None,
    model: ChatModel | None = None,
    cache: Cache | None = None,
) -> Panel:
    """Make every evaluator, with its options and weight.

    Args:
        settings: where options, weights and models are set.
        only: names of those to make; none for all.
        tracer: takes the spans they leave, if any.
        model: to ask instead of the configured ones; then nothing is remembered but in `cache`.
        cache: where results are remembered if `model` is given.

    Raises:
        ConfigError: options name an unknown evaluator or are refused by theirs.
        PluginError: an evaluator cannot be loaded.
    """
    known = plugins.found(plugins.EVALUATORS)
    for name in [*settings.evaluators, *settings.models, *settings.verdict.weights, *only]:
        if name not in known:
            raise ConfigError(f"no evaluator {name!r}; known: {', '.join(known)}")
    classes = {name: _load_evaluator(name) for name in known}
    chosen = [name for name, loaded in classes.items() if (name in only if only else _is_wanted(loaded, settings))]
    models = _build_models(settings, classes, chosen, tracer) if model is None else dict.fromkeys(chosen, (model,))
    if model is None:
        cache = build_cache(settings) if any(models.values()) else None
    parts = _Parts(settings, classes, models, cache)
    evaluators = tuple(parts.build(name) for name in chosen)
    weights = {one.name: settings.verdict.weights.get(one.name, one.weight) for one in evaluators}
    accounts = build_accounts(settings, known, evaluators) if model is None else None
    evaluators = within_budgets(evaluators, accounts)
    if tracer is not None:
        evaluators = tuple(traced_evaluator(one, tracer) for one in evaluators)
    rules = VerdictRules(weights, settings.verdict.fail_below, settings.verdict.min_measured_weight)
    return Panel(evaluators, rules, {name: asked for name, asked in models.items() if asked}, cache, accounts)


def _is_wanted(loaded: type, settings: Settings) -> bool:
    """Whether an evaluator is on the panel: all are but those that are asked only where a model is named for them."""
    return not getattr(loaded, "opt_in", False) or getattr(loaded, "name", None) in settings.models


def _build_models(
    settings: Settings, classes: Mapping[str, type], chosen: Sequence[str], tracer: Tracer | None
) -> dict[str, tuple[ChatModel, ...]]:
    """Make what each evaluator asks; those that ask the same share it."""
    asked = {name: models_of(settings, name, opt_in=getattr(classes[name], "opt_in", False)) for name in chosen}
    made: dict[str, ChatModel] = {}
    for name in dict.fromkeys(name for names in asked.values() for name in names):
        router = build_router(settings, name)
        made[name] = router if tracer is None else traced_model(router, tracer)
    return {evaluator: tuple(made[name] for name in names) for evaluator, names in asked.items()}


class _Parts:
    """Builds evaluators of what they are made of; each is made once."""

    def __init__(
        self,
        settings: Settings,
        classes: Mapping[str, type],
        models: Mapping[str, Sequence[ChatModel]],
        cache: Cache | None,
    ) -> None:
        self._settings = settings
        self._classes = classes
        self._models = models
        self._cache = cache
        self._built: dict[str, Evaluator] = {}

    def build(self, name: str) -> Evaluator:
        if name not in self._built:
            loaded, models = self._classes[name], self._models.get(name, ())
            facts_from = str(getattr(loaded, "facts_from", None))
            tells = hasattr(self._classes.get(facts_from), "facts")
            checks = cast("Checks", self.build(facts_from)) if models and tells else None
            results = build_results(self._settings, self._cache, name) if models else None
            self._built[name] = _build_evaluator(loaded, name, self._settings, models, checks, results)
        return self._built[name]


def _load_evaluator(name: str) -> type:
    loaded = plugins.load(plugins.EVALUATORS, name)
    missing = [part for part in _EVALUATOR_PARTS if not hasattr(loaded, part)]
    if missing:
        raise PluginError(f"{plugins.EVALUATORS} {name!r} is no evaluator: it lacks {', '.join(missing)}")
    return loaded


def _build_evaluator(
    loaded: type,
    name: str,
    settings: Settings,
    models: Sequence[ChatModel],
    checks: Checks | None,
    results: Results | None,
) -> Evaluator:
    wait_seconds = settings.judge.wait_seconds if may_have_to_wait(settings, models) else 0.0
    setup = EvaluatorSetup(
        settings.evaluators.get(name, {}),
        next(iter(models), None),
        settings.judge.timeout_seconds,
        wait_seconds,
        deadline_seconds=settings.judge.deadline_seconds,
        more_models=tuple(models[1:]),
        checks=checks,
        results=results,
    )
    built = cast("type[Evaluator]", loaded).create(setup)
    if built.name != name:
        raise PluginError(f"{plugins.EVALUATORS} {name!r} calls itself {built.name!r}; both must agree")
    return built


_EVALUATOR_PARTS = ("create", "inapplicable", "evaluate")


def build_catalog(settings: Settings) -> Catalog:
    """Make the catalog alone, not opened yet.

    Raises:
        ConfigError: nothing speaks the store's scheme.
        PluginError: the plug-in cannot be loaded.
    """
    store_url = settings.effective_store_url
    return cast("type[Catalog]", plugins.load_for_url(plugins.CATALOG, store_url)).from_url(store_url)


def build_ledger(settings: Settings) -> Ledger:
    """Make the ledger alone, not opened yet.

    Raises:
        ConfigError: nothing speaks the store's scheme.
        PluginError: the plug-in cannot be loaded.
    """
    store_url = settings.effective_store_url
    return cast("type[Ledger]", plugins.load_for_url(plugins.LEDGER, store_url)).from_url(store_url)


def build_archive(settings: Settings) -> Archive | None:
    """Make the archive alone; None if there is none.

    Raises:
        ConfigError: nothing speaks its scheme, or the address cannot be one.
        PluginError: the plug-in cannot be loaded.
    """
    url = settings.archive_url
    return None if url is None else cast("type[Archive]", plugins.load_for_url(plugins.ARCHIVE, url)).from_url(url)


def build_lease(settings: Settings) -> Lease:
    """Make the lease alone: it is kept where the stream is.

    Raises:
        ConfigError: nothing speaks its scheme, or the address cannot be one.
        PluginError: the plug-in cannot be loaded.
    """
    url = settings.stream_url
    return cast("type[Lease]", plugins.load_for_url(plugins.LEASE, url)).from_url(url)


def build_stream(settings: Settings) -> Stream:
    """Make the stream alone, not opened yet.

    Raises:
        ConfigError: nothing speaks its scheme, or the address cannot be one.
        PluginError: the plug-in cannot be loaded.
    """
    url = settings.stream_url
    loaded = cast("type[Stream]", plugins.load_for_url(plugins.STREAM, url))
    return loaded.from_url(url, dead_letters=settings.worker.dead_letters)


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


def build_tracer(settings: Settings) -> Tracer | None:
    """Make who makes spans; None if nobody is told of any.

    Raises:
        ConfigError: nothing speaks the scheme of who takes them, or the address cannot be one.
        PluginError: the plug-in cannot be loaded, as without the extra `otel`.
    """
    chosen = settings.telemetry
    if not chosen.otlp_endpoint:
        return None
    loaded = cast("type[Tracer]", plugins.load_for_url(plugins.TRACER, chosen.otlp_endpoint))
    return loaded.from_url(chosen.otlp_endpoint, service=chosen.service_name, share=chosen.sampled_share)


def build_services(settings: Settings) -> Services:
    """Make everything a server needs.

    Raises:
        ConfigError: a setting is wrong.
        PluginError: a plug-in cannot be loaded.
    """
    ledger = timed_ledger(build_ledger(settings))
    stream = timed_stream(build_stream(settings))
    tracer = build_tracer(settings)
    if tracer is not None:
        stream = traced_stream(stream, tracer, urlsplit(settings.stream_url).scheme)
    return Services(
        settings=settings,
        ledger=ledger,
        catalog=build_catalog(settings),
        stream=stream,
        lease=build_lease(settings),
        panel=build_panel(settings, tracer=tracer),
        backlog=Backlog(ledger, settings.limits.backlog),
        archive=build_archive(settings),
        tracer=tracer,
    )
