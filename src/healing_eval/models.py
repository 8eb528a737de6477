"""How do settings become models that can be asked? Deployments, the pools they form, and who asks which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast
from urllib.parse import urlsplit

import msgspec

from healing_eval import plugins
from healing_eval.config import Settings, provider_environment
from healing_eval.errors import ConfigError
from healing_eval.gateway.batches import Batches, BatchRules, BatchSite
from healing_eval.gateway.deployment import Deployment
from healing_eval.gateway.limited import limited_model
from healing_eval.gateway.priced import priced_model
from healing_eval.gateway.prices import Prices
from healing_eval.gateway.rates import Rates
from healing_eval.gateway.router import Router
from healing_eval.ports.batch_model import BatchModel
from healing_eval.ports.batch_work import BatchWork
from healing_eval.ports.chat_model import ChatModel
from healing_eval.ports.limiter import Limiter, RateLimit
from healing_eval.sections import DeploymentSettings, PriceSettings


class Site(msgspec.Struct, frozen=True):
    """One deployment as it is configured."""

    name: str
    settings: DeploymentSettings
    is_implied: bool = False
    """Whether nobody wrote it down: the provider's own address and key."""


def models_of(settings: Settings, evaluator: str, *, opt_in: bool = False) -> tuple[str, ...]:
    """Name the models an evaluator asks, as configured; () if there is none.

    With `opt_in` it asks only what is named for it.
    """
    named = settings.models.get(evaluator, None if opt_in else settings.judge.model)
    if named is None:
        return ()
    return (named,) if isinstance(named, str) else tuple(named)


def sites_of(settings: Settings, model: str) -> list[Site]:
    """List the deployments of a pool, or the one that a model by itself is.

    Raises:
        ConfigError: no pool is called that, and it is not of the form provider:model.
    """
    sites = [Site(name, one) for name, one in settings.deployments.items() if (one.pool or one.model) == model]
    if sites:
        return sites
    provider, _, rest = model.partition(":")
    if not (provider and rest):
        pools = sorted({one.pool or one.model for one in settings.deployments.values()})
        known = f", or one of the pools {', '.join(pools)}" if pools else ""
        raise ConfigError(
            f"setting {_asked_by(settings, model)!r} must be provider:model, such as openai:gpt-4o-mini{known}, "
            f"got {model!r}"
        )
    return [Site(model, DeploymentSettings(model=model), is_implied=True)]


def all_sites(settings: Settings, evaluators: Sequence[str]) -> Iterator[Site]:
    """List every deployment that is configured, or asked by one of these evaluators, each once.

    Raises:
        ConfigError: a model that is asked is none.
    """
    seen = dict.fromkeys(settings.deployments)
    yield from (Site(name, one) for name, one in settings.deployments.items())
    for model in dict.fromkeys(model for evaluator in evaluators for model in models_of(settings, evaluator)):
        for site in sites_of(settings, model):
            if site.name not in seen:
                seen[site.name] = None
                yield site


def build_router(settings: Settings, model: str) -> ChatModel:
    """Make the model of a pool, or of one deployment.

    Raises:
        ConfigError: there is no such pool, or a provider lacks a key.
    """
    sites = sites_of(settings, model)
    is_alone = len(sites) == 1
    deployments = [
        Deployment(one.name, build_deployment(settings, one), weight=one.settings.weight, is_alone=is_alone)
        for one in sites
    ]
    return cast("ChatModel", Router(model, deployments))


def build_deployment(settings: Settings, site: Site) -> ChatModel:
    """Make what asks one deployment once, within its limits, and tells what it cost.

    Raises:
        ConfigError: there is no such provider, or it lacks a key.
    """
    built = _build_client(settings, site)
    return priced_model(_within_its_limits(built, settings, site), build_prices(settings, site, built))


def build_prices(settings: Settings, site: Site, model: ChatModel | BatchModel) -> Prices:
    """Make what knows the price of a deployment."""
    own = {name: _rates(price) for name, price in settings.prices.items()}
    agreed = None if site.settings.price is None else _rates(site.settings.price)
    address = getattr(model, "base_url", None)  # plug-ins may be older than the attribute
    return Prices(model.name, address, own, agreed)


def quoted_prices(settings: Settings, site: Site) -> Prices:
    """Make what knows the price of a deployment that nobody is going to ask, so that no key is needed.

    Raises:
        ConfigError: there is no such provider, or its address is none.
    """
    return build_prices(settings, site, _build_client(settings, site, with_key=False))


def batch_sites_of(settings: Settings, model: str) -> list[Site]:
    """List those deployments of a pool that take batches.

    Raises:
        ConfigError: there is no such pool, or a deployment is said to take batches whose provider takes none.
    """
    return [site for site in sites_of(settings, model) if _takes_batches(site)]


def models_in_batches(settings: Settings) -> list[str]:
    """Name the models that are asked in batches, each once.

    Raises:
        ConfigError: an evaluator's questions may wait, and nobody whom it asks takes batches.
    """
    found: dict[str, None] = {}
    for evaluator in settings.batches.not_urgent:
        models = models_of(settings, evaluator)
        taking = [model for model in models if batch_sites_of(settings, model)]
        if models and not taking:
            raise ConfigError(
                f"setting 'batches.not_urgent' names {evaluator}, but no deployment of {', '.join(models)} takes"
                " batches; for one that does set deployments.NAME.batches = true"
            )
        found |= dict.fromkeys(taking)
    return list(found)


def build_batches(settings: Settings, work: BatchWork, models: Iterable[str]) -> Batches:
    """Make who hands in the batches of these models and fetches the answers.

    Raises:
        ConfigError: a provider lacks a key.
    """
    chosen = settings.batches
    rules = BatchRules(chosen.gather_seconds, chosen.most_questions, chosen.tries, chosen.price_share)
    sites = [_build_batch_site(settings, site, model) for model in models for site in batch_sites_of(settings, model)]
    return Batches(work, sites, rules)


def may_have_to_wait(settings: Settings, models: Sequence[ChatModel]) -> bool:
    """Whether questions to one of these wait for their turn under limits."""
    asked = {model.name for model in models}
    return any(_is_limited(one) for one in settings.deployments.values() if (one.pool or one.model) in asked)


def _is_limited(deployment: DeploymentSettings) -> bool:
    return deployment.requests_per_minute is not None or deployment.tokens_per_minute is not None


_NO_KEY = "none"
"""Stands for the key of a client that asks nothing."""


def _build_client(settings: Settings, site: Site, *, with_key: bool = True) -> ChatModel:
    provider, _, model = site.settings.model.partition(":")
    known = plugins.found(plugins.CHAT_MODEL)
    setting = _asked_by(settings, site.name) if site.is_implied else f"deployments.{site.name}.model"
    if provider not in known:
        raise ConfigError(f"setting {setting!r}: no provider {provider!r}; known: {', '.join(known)}")
    loaded = cast("type[ChatModel]", plugins.load(plugins.CHAT_MODEL, provider))
    try:
        return loaded.create(model, _environment_of(site, loaded) if with_key else _keyless_environment(site, loaded))
    except ConfigError as error:
        raise error if site.is_implied else ConfigError(f"deployments.{site.name}: {error}") from error


def _takes_batches(site: Site) -> bool:
    provider = site.settings.model.partition(":")[0]
    if site.settings.batches is False:
        return False
    if provider not in plugins.found(plugins.BATCH_MODEL):
        if site.settings.batches:
            known = ", ".join(plugins.found(plugins.BATCH_MODEL))
            raise ConfigError(f"deployments.{site.name}.batches: {provider} takes none; known: {known}")
        return False
    if site.settings.batches:
        return True
    loaded = cast("type[BatchModel]", plugins.load(plugins.BATCH_MODEL, provider))
    variable = getattr(loaded, "address_variable", None)
    address = site.settings.url or provider_environment().get(variable or "") or loaded.own_address
    return urlsplit(address).hostname == urlsplit(loaded.own_address).hostname


def _build_batch_site(settings: Settings, site: Site, pool: str) -> BatchSite:
    provider, _, model = site.settings.model.partition(":")
    loaded = cast("type[BatchModel]", plugins.load(plugins.BATCH_MODEL, provider))
    built = loaded.create(model, _environment_of(site, loaded))
    return BatchSite(site.name, pool, built, build_prices(settings, site, built), site.settings.weight)


def _environment_of(site: Site, provider: type) -> dict[str, str]:
    """Give the provider what it reads by its own names, as this deployment has it."""
    environment = dict(provider_environment())
    chosen = site.settings
    for value, attribute, setting in (
        (chosen.url, "address_variable", "url"),
        (chosen.key_variable, "key_variable", "key_variable"),
    ):
        if value is None:
            continue
        variable = getattr(provider, attribute, None)
        if variable is None:
            name = chosen.model.partition(":")[0]
            raise ConfigError(f"deployments.{site.name}.{setting}: {name} models have no such setting")
        environment[variable] = value if setting == "url" else _key(environment, value, site)
    return environment


def _keyless_environment(site: Site, provider: type[ChatModel]) -> dict[str, str]:
    """Give the same with nothing for a key, whether there is one or not."""
    keyless = Site(site.name, site.settings.model_copy(update={"key_variable": None}), site.is_implied)
    environment, variable = _environment_of(keyless, provider), getattr(provider, "key_variable", None)
    return environment if variable is None else environment | {variable: _NO_KEY}


def _key(environment: dict[str, str], variable: str, site: Site) -> str:
    if not environment.get(variable):
        raise ConfigError(f"deployments.{site.name}.key_variable: {variable} is not set in the environment")
    return environment[variable]


def _within_its_limits(model: ChatModel, settings: Settings, site: Site) -> ChatModel:
    if not _is_limited(site.settings):
        return model
    limiter = cast("type[Limiter]", plugins.load_for_url(plugins.LIMITER, settings.stream_url))
    limit = RateLimit(site.settings.requests_per_minute, site.settings.tokens_per_minute)
    return limited_model(site.name, model, limiter.from_url(settings.stream_url), limit)


def _rates(price: PriceSettings) -> Rates:
    return Rates(
        input_dollars=price.input_dollars_per_million,
        output_dollars=price.output_dollars_per_million,
        cached_input_dollars=price.cached_input_dollars_per_million,
    )


def _asked_by(settings: Settings, model: str) -> str:
    """Name the setting that asks for a model."""
    asking = (f"models.{name}" for name, asked in settings.models.items() if model in (asked, *asked))
    return "judge.model" if settings.judge.model == model else next(asking, "judge.model")
