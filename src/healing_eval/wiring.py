"""How do settings become concrete objects? The composition root."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit

import msgspec

from healing_eval import plugins
from healing_eval.config import Settings
from healing_eval.gateway.batches import Batches
from healing_eval.models import build_batches, models_in_batches
from healing_eval.panel import Panel, build_panel
from healing_eval.pipeline.backlog import Backlog
from healing_eval.pipeline.timed import timed_ledger, timed_stream
from healing_eval.pipeline.traced import traced_stream
from healing_eval.ports.archive import Archive
from healing_eval.ports.batch_work import BatchWork
from healing_eval.ports.catalog import Catalog
from healing_eval.ports.lease import Lease
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.stream import Stream
from healing_eval.ports.tracer import Tracer


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
