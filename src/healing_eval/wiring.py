"""How do settings become concrete objects? The composition root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import cast
from urllib.parse import urlsplit

import msgspec

from healing_eval import plugins
from healing_eval.config import Settings
from healing_eval.domain.verdict import VerdictRules
from healing_eval.errors import ConfigError, PluginError
from healing_eval.gateway.batched import batched_model
from healing_eval.gateway.batches import Batches
from healing_eval.gateway.remembered import RememberedResults
from healing_eval.models import (
    batch_sites_of,
    build_batches,
    build_router,
    is_limited,
    models_in_batches,
    models_of,
    sites_of,
)
from healing_eval.pipeline.backlog import Backlog
from healing_eval.pipeline.timed import timed_ledger, timed_stream
from healing_eval.pipeline.traced import traced_evaluator, traced_model, traced_stream
from healing_eval.ports.archive import Archive
from healing_eval.ports.batch_work import BatchWork
from healing_eval.ports.cache import Cache, Results
from healing_eval.ports.catalog import Catalog
from healing_eval.ports.chat_model import ChatModel
from healing_eval.ports.evaluator import Evaluator, EvaluatorSetup
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
        return tuple(evaluator for evaluator in self.evaluators if self._lane_of(evaluator) == lane)

    def _lane_of(self, evaluator: Evaluator) -> str:
        return CHECKS if self.lacks_a_model(evaluator) else evaluator.lane

    def lacks_a_model(self, evaluator: Evaluator) -> bool:
        """Whether it cannot measure, since there is no model for it."""
        return "model" in evaluator.needs and not self.models.get(evaluator.name)

    def asks_a_model(self, evaluator: Evaluator) -> bool:
        """Whether it waits for a model's answers."""
        return "model" in evaluator.needs and bool(self.models.get(evaluator.name))

    async def close(self) -> None:
        """Let go of the models' connections."""
        for model in {id(model): model for models in self.models.values() for model in models}.values():
            await model.close()


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
    batches: Batches | None = None
    """None: no evaluator's questions may wait."""

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
        if self.batches is not None:
            await self.batches.close()
        await self.catalog.close()
        await self.ledger.close()
        if self.tracer is not None:
            await self.tracer.close()


def build_panel(
    settings: Settings,
    only: Sequence[str] = (),
    tracer: Tracer | None = None,
    batch_work: BatchWork | None = None,
) -> Panel:
    """Make every evaluator, with its options and weight.

    Args:
        settings: all of them.
        only: make only those named.
        tracer: who makes the spans that they leave.
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
    chosen = [name for name in known if not only or name in only]
    models = _build_models(settings, chosen, tracer, batch_work)
    not_urgent = settings.batches.not_urgent if batch_work is not None else ()
    evaluators = tuple(_build_evaluator(name, settings, models[name], name in not_urgent) for name in chosen)
    weights = {one.name: settings.verdict.weights.get(one.name, one.weight) for one in evaluators}
    if tracer is not None:
        evaluators = tuple(traced_evaluator(one, tracer) for one in evaluators)
    rules = VerdictRules(weights, settings.verdict.fail_below, settings.verdict.min_measured_weight)
    return Panel(evaluators, rules, {name: asked for name, asked in models.items() if asked})


def _build_models(
    settings: Settings, evaluators: Sequence[str], tracer: Tracer | None, batch_work: BatchWork | None
) -> dict[str, tuple[ChatModel, ...]]:
    """Make what each evaluator asks; those that ask the same share it."""
    made: dict[str, ChatModel] = {}
    for evaluator in evaluators:
        for name in models_of(settings, evaluator):
            if name not in made:
                router = build_router(settings, name)
                made[name] = router if tracer is None else traced_model(router, tracer)
                if batch_work is not None and batch_sites_of(settings, name):
                    poll_seconds = settings.batches.poll_seconds
                    made[name] = batched_model(made[name], batch_work, poll_seconds=poll_seconds)
    return {evaluator: tuple(made[name] for name in models_of(settings, evaluator)) for evaluator in evaluators}


def _build_evaluator(name: str, settings: Settings, models: Sequence[ChatModel], may_wait: bool) -> Evaluator:
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
        lane="batch" if may_wait else "now",
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


def build_batch_work(settings: Settings) -> BatchWork:
    """Make what keeps questions that wait for a batch: it is in the store.

    Raises:
        ConfigError: nothing speaks the store's scheme.
        PluginError: the plug-in cannot be loaded.
    """
    store_url = settings.effective_store_url
    return cast("type[BatchWork]", plugins.load_for_url(plugins.BATCH_WORK, store_url)).from_url(store_url)


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
    in_batches = models_in_batches(settings)
    batch_work = build_batch_work(settings) if in_batches else None
    return Services(
        settings=settings,
        ledger=ledger,
        catalog=build_catalog(settings),
        stream=stream,
        lease=build_lease(settings),
        panel=build_panel(settings, tracer=tracer, batch_work=batch_work),
        backlog=Backlog(ledger, settings.limits.backlog),
        archive=build_archive(settings),
        tracer=tracer,
        batches=None if batch_work is None else build_batches(settings, batch_work, in_batches),
    )
