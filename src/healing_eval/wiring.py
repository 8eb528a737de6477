"""How do settings become concrete objects? The composition root."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import cast
from urllib.parse import urlsplit

import msgspec

from healing_eval import plugins
from healing_eval.config import Settings
from healing_eval.domain.verdict import VerdictRules
from healing_eval.errors import ConfigError, PluginError
from healing_eval.gateway.remembered import RememberedResults
from healing_eval.models import build_router, is_limited, models_of, sites_of
from healing_eval.pipeline.accounts import Accounts
from healing_eval.pipeline.backlog import Backlog
from healing_eval.pipeline.budget import Budget
from healing_eval.pipeline.budgeted import budgeted_evaluator
from healing_eval.pipeline.timed import timed_ledger, timed_stream
from healing_eval.pipeline.traced import traced_evaluator, traced_model, traced_stream
from healing_eval.ports.archive import Archive
from healing_eval.ports.cache import Cache, Results
from healing_eval.ports.catalog import Catalog
from healing_eval.ports.chat_model import ChatModel
from healing_eval.ports.evaluator import Evaluator, EvaluatorSetup
from healing_eval.ports.lease import Lease
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.spending import NANODOLLARS, Spending
from healing_eval.ports.stream import Stream
from healing_eval.ports.tracer import Tracer
from healing_eval.sections import BudgetSettings

CHECKS = "checks"
"""The lane of what needs no model."""


class Panel(msgspec.Struct, frozen=True):
    """The evaluators in force and the rules by which they are weighed."""

    evaluators: tuple[Evaluator, ...]
    rules: VerdictRules
    models: Mapping[str, tuple[ChatModel, ...]] = {}
    """Evaluator to what it asks; one that asks none is not in it."""
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


def build_panel(settings: Settings, only: Sequence[str] = (), tracer: Tracer | None = None) -> Panel:
    """Make every evaluator, or `only` those named, with its options and weight; with a `tracer`, they leave spans.

    Raises:
        ConfigError: options name an unknown evaluator or are refused by theirs.
        PluginError: an evaluator cannot be loaded.
    """
    known = plugins.found(plugins.EVALUATORS)
    for name in [*settings.evaluators, *settings.models, *settings.verdict.weights, *only]:
        if name not in known:
            raise ConfigError(f"no evaluator {name!r}; known: {', '.join(known)}")
    chosen = [name for name in known if not only or name in only]
    models = _build_models(settings, chosen, tracer)
    evaluators = tuple(_build_evaluator(name, settings, models[name]) for name in chosen)
    weights = {one.name: settings.verdict.weights.get(one.name, one.weight) for one in evaluators}
    accounts = _build_accounts(settings, known, evaluators)
    if accounts is not None:
        evaluators = tuple(_within_its_budgets(one, accounts) for one in evaluators)
    if tracer is not None:
        evaluators = tuple(traced_evaluator(one, tracer) for one in evaluators)
    rules = VerdictRules(weights, settings.verdict.fail_below, settings.verdict.min_measured_weight)
    return Panel(evaluators, rules, {name: asked for name, asked in models.items() if asked}, accounts)


def _build_models(
    settings: Settings, evaluators: Sequence[str], tracer: Tracer | None
) -> dict[str, tuple[ChatModel, ...]]:
    """Make what each evaluator asks; those that ask the same share it."""
    made: dict[str, ChatModel] = {}
    for evaluator in evaluators:
        for name in models_of(settings, evaluator):
            if name not in made:
                router = build_router(settings, name)
                made[name] = router if tracer is None else traced_model(router, tracer)
    return {evaluator: tuple(made[name] for name in models_of(settings, evaluator)) for evaluator in evaluators}


def _build_evaluator(name: str, settings: Settings, models: Sequence[ChatModel]) -> Evaluator:
    loaded = plugins.load(plugins.EVALUATORS, name)
    missing = [part for part in _EVALUATOR_PARTS if not hasattr(loaded, part)]
    if missing:
        raise PluginError(f"{plugins.EVALUATORS} {name!r} is no evaluator: it lacks {', '.join(missing)}")
    sites = [site for model in models for site in sites_of(settings, model.name)]
    wait_seconds = settings.judge.wait_seconds if any(map(is_limited, sites)) else 0.0
    setup = EvaluatorSetup(
        settings.evaluators.get(name, {}),
        next(iter(models), None),
        settings.judge.timeout_seconds,
        wait_seconds,
        more_models=tuple(models[1:]),
    )
    built = cast("type[Evaluator]", loaded).create(setup)
    if built.name != name:
        raise PluginError(f"{plugins.EVALUATORS} {name!r} calls itself {built.name!r}; both must agree")
    return built


_EVALUATOR_PARTS = ("create", "inapplicable", "evaluate")


def _build_accounts(settings: Settings, known: Collection[str], built: Sequence[Evaluator]) -> Accounts | None:
    """Make the budgets as this process sees them; None if there are none."""
    if not settings.budgets:
        return None
    free = {one.name for one in built if "model" not in one.needs}
    for name, chosen in settings.budgets.items():
        if chosen.evaluator is not None and chosen.evaluator not in known:
            listed = ", ".join(known)
            raise ConfigError(f"budgets.{name}.evaluator: no evaluator {chosen.evaluator!r}; known: {listed}")
        if chosen.evaluator in free:
            raise ConfigError(f"budgets.{name}.evaluator: {chosen.evaluator!r} asks no model, so it costs nothing")
    spending = cast("type[Spending]", plugins.load_for_url(plugins.SPENDING, settings.stream_url))
    budgets = [_budget(name, chosen) for name, chosen in settings.budgets.items()]
    return Accounts(budgets, spending.from_url(settings.stream_url))


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


def _within_its_budgets(evaluator: Evaluator, accounts: Accounts) -> Evaluator:
    """Put the budgets in front of an evaluator that asks a model; all others cost nothing and always go on."""
    return budgeted_evaluator(evaluator, accounts) if "model" in evaluator.needs else evaluator


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
