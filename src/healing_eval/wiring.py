"""How do settings become concrete objects? The composition root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from urllib.parse import urlsplit

import msgspec

from healing_eval import plugins
from healing_eval.config import Settings, provider_environment
from healing_eval.domain.verdict import VerdictRules
from healing_eval.errors import ConfigError, PluginError
from healing_eval.gateway.limited import limited_model
from healing_eval.gateway.priced import priced_model
from healing_eval.gateway.prices import Prices
from healing_eval.gateway.rates import Rates
from healing_eval.pipeline.backlog import Backlog
from healing_eval.pipeline.timed import timed_ledger, timed_stream
from healing_eval.pipeline.traced import traced_evaluator, traced_model, traced_stream
from healing_eval.ports.archive import Archive
from healing_eval.ports.catalog import Catalog
from healing_eval.ports.chat_model import ChatModel
from healing_eval.ports.evaluator import Evaluator, EvaluatorSetup
from healing_eval.ports.lease import Lease
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.limiter import Limiter, RateLimit
from healing_eval.ports.stream import Stream
from healing_eval.ports.tracer import Tracer

CHECKS = "checks"
"""The lane of what needs no model."""


class Panel(msgspec.Struct, frozen=True):
    """The evaluators in force and the rules by which they are weighed."""

    evaluators: tuple[Evaluator, ...]
    rules: VerdictRules
    model: ChatModel | None = None

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
        return CHECKS if self.model is None and "model" in evaluator.needs else evaluator.lane

    async def close(self) -> None:
        """Let go of the model's connections."""
        if self.model is not None:
            await self.model.close()


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


def build_model(settings: Settings) -> ChatModel | None:
    """Make the configured judge's model; None if there is none.

    Raises:
        ConfigError: the name is not of the form provider:model, or the provider lacks a key.
    """
    configured = settings.judge.model
    if configured is None:
        return None
    provider, colon, model = configured.partition(":")
    if not (provider and colon and model):
        raise ConfigError(
            f"setting 'judge.model' must be provider:model, such as openai:gpt-4o-mini, got {configured!r}"
        )
    known = plugins.found(plugins.CHAT_MODEL)
    if provider not in known:
        raise ConfigError(f"setting 'judge.model': no provider {provider!r}; known: {', '.join(known)}")
    loaded = cast("type[ChatModel]", plugins.load(plugins.CHAT_MODEL, provider))
    built = loaded.create(model, provider_environment())
    return priced_model(_within_its_limits(built, settings), build_prices(settings, built))


def _within_its_limits(model: ChatModel, settings: Settings) -> ChatModel:
    allowed = settings.model_limits.get(model.name)
    if allowed is None or (allowed.requests_per_minute is None and allowed.tokens_per_minute is None):
        return model
    limiter = cast("type[Limiter]", plugins.load_for_url(plugins.LIMITER, settings.stream_url))
    limit = RateLimit(allowed.requests_per_minute, allowed.tokens_per_minute)
    return limited_model(model, limiter.from_url(settings.stream_url), limit)


def build_prices(settings: Settings, model: ChatModel) -> Prices:
    """Make what knows the price of a model."""
    own = {
        name: Rates(
            input_dollars=price.input_dollars_per_million,
            output_dollars=price.output_dollars_per_million,
            cached_input_dollars=price.cached_input_dollars_per_million,
        )
        for name, price in settings.prices.items()
    }
    return Prices(model.name, getattr(model, "base_url", None), own)  # plug-ins may be older than the attribute


def build_panel(
    settings: Settings, only: Sequence[str] = (), tracer: Tracer | None = None, model: ChatModel | None = None
) -> Panel:
    """Make every evaluator, with its options and weight.

    Args:
        settings: where options, weights and the model are set.
        only: names of those to make; none for all.
        tracer: takes the spans they leave, if any.
        model: to ask instead of the configured one.

    Raises:
        ConfigError: options name an unknown evaluator or are refused by theirs.
        PluginError: an evaluator cannot be loaded.
    """
    known = plugins.found(plugins.EVALUATORS)
    for name in [*settings.evaluators, *settings.verdict.weights, *only]:
        if name not in known:
            raise ConfigError(f"no evaluator {name!r}; known: {', '.join(known)}")
    model = model or build_model(settings)
    if tracer is not None and model is not None:
        model = traced_model(model, tracer)
    chosen = [name for name in known if not only or name in only]
    evaluators = tuple(_build_evaluator(name, settings, model) for name in chosen)
    weights = {one.name: settings.verdict.weights.get(one.name, one.weight) for one in evaluators}
    if tracer is not None:
        evaluators = tuple(traced_evaluator(one, tracer) for one in evaluators)
    rules = VerdictRules(weights, settings.verdict.fail_below, settings.verdict.min_measured_weight)
    return Panel(evaluators, rules, model)


def _build_evaluator(name: str, settings: Settings, model: ChatModel | None) -> Evaluator:
    loaded = plugins.load(plugins.EVALUATORS, name)
    missing = [part for part in _EVALUATOR_PARTS if not hasattr(loaded, part)]
    if missing:
        raise PluginError(f"{plugins.EVALUATORS} {name!r} is no evaluator: it lacks {', '.join(missing)}")
    is_limited = model is not None and model.name in settings.model_limits
    wait_seconds = settings.judge.wait_seconds if is_limited else 0.0
    options = settings.evaluators.get(name, {})
    setup = EvaluatorSetup(options, model, settings.judge.timeout_seconds, wait_seconds)
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
