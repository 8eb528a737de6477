"""Can the models be asked, and is it known what they cost?"""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

from healing_eval import plugins
from healing_eval.cli.check import Check
from healing_eval.config import Settings
from healing_eval.errors import HealingEvalError, ModelError, NotAdmitted
from healing_eval.gateway.published import is_installed, newest_change
from healing_eval.masking import masked
from healing_eval.models import (
    Site,
    all_sites,
    batch_sites_of,
    build_deployment,
    build_prices,
    models_in_batches,
)
from healing_eval.ports.chat_model import ChatMessage, ChatModel, ChatRequest

OLD_PRICES_DAYS = 90
PATIENCE_SECONDS = 20.0
_QUESTION = ChatRequest(
    messages=[ChatMessage("user", "Answer with the word: ready")],
    max_output_tokens=16,
    timeout_seconds=PATIENCE_SECONDS,
    longest_wait_seconds=PATIENCE_SECONDS,
)


async def check_models(settings: Settings, *, online: bool) -> list[Check]:
    """Is there a model to judge, can each deployment be asked, and does it answer?"""
    try:
        sites = list(all_sites(settings, list(plugins.found(plugins.EVALUATORS))))
    except HealingEvalError as error:
        return [Check("judge's model", "fail", str(error), "correct the setting")]
    if not sites:
        advice = "to have a judge, set HEALING_EVAL_JUDGE__MODEL, such as openai:gpt-4o-mini, and OPENAI_API_KEY"
        return [Check("judge's model", "warn", "not configured: the judge will not measure", advice)]
    checked = await asyncio.gather(*(_check_site(settings, site, online=online) for site in sites))
    found = [check for checks in checked for check in checks]
    if settings.batches.not_urgent:
        found.append(check_batches(settings))
    failed = any(check.status == "fail" for check in found)
    if not failed and any(_has_published_price(settings, site) for site in sites):
        found += check_price_table(datetime.now(UTC).date())
    return found


async def _check_site(settings: Settings, site: Site, *, online: bool) -> list[Check]:
    name = "judge's model" if site.is_implied else f"deployment {site.name}"
    try:
        model = build_deployment(settings, site)
    except HealingEvalError as error:
        return [Check(name, "fail", str(error), "correct the setting or the provider's key")]
    try:
        answered = await _ask(name, site, model) if online else Check(name, "ok", f"{_named(site)}; --online asks it")
    finally:
        await model.close()
    return [answered, check_price(settings, site, model)]


def _named(site: Site) -> str:
    where = f" in {site.settings.region}" if site.settings.region else ""
    return f"{site.settings.model}{where} is configured"


async def _ask(name: str, site: Site, model: ChatModel) -> Check:
    try:
        answer = await model.ask(_QUESTION)
    except NotAdmitted as error:
        return Check(name, "fail", f"{site.settings.model}: {error}", _advice(error, site))
    except ModelError as error:
        address = masked(getattr(model, "base_url", None) or "")
        advice = f"check the address{f' {address}' if address else ''} and the network"
        return Check(name, "fail", f"{site.settings.model}: {error}", advice)
    seconds = "" if answer.seconds is None else f" after {answer.seconds:.1f} s"
    return Check(name, "ok", f"{answer.model} answers{seconds}")


def _advice(error: NotAdmitted, site: Site) -> str:
    if error.status in (401, 403):
        return f"correct the key{f' in {site.settings.key_variable}' if site.settings.key_variable else ''}"
    return "correct the model's name, or the address of its server"


def check_price(settings: Settings, site: Site, model: ChatModel) -> Check:
    """Is it known what a deployment costs? Without, its calls are counted as unpriced."""
    name = "judge's price" if site.is_implied else f"price of {site.name}"
    configured = site.settings.model
    _, _, bare = configured.partition(":")
    if build_prices(settings, site, model).price_of(bare, datetime.now(UTC).timestamp()):
        return Check(name, "ok", f"known for {configured}")
    install = "" if is_installed() else "pip install 'healing-eval[prices]' for published prices, or "
    advice = f'{install}set [prices."{configured}"] in healing-eval.toml'
    return Check(name, "warn", f"not known for {configured}: its cost will not be counted", advice)


def _has_published_price(settings: Settings, site: Site) -> bool:
    return site.settings.price is None and site.settings.model not in settings.prices and is_installed()


def check_batches(settings: Settings) -> Check:
    """Can what may wait be asked in batches?"""
    named = ", ".join(settings.batches.not_urgent)
    try:
        models = models_in_batches(settings)
        sites = [site.name for model in models for site in batch_sites_of(settings, model)]
    except HealingEvalError as error:
        return Check("batches", "fail", str(error), "correct the setting")
    if not sites:
        advice = f"give {named} a model, or empty the setting batches.not_urgent"
        return Check("batches", "warn", f"{named} may wait and asks no model", advice)
    return Check("batches", "ok", f"what {named} asks may wait for batches of {', '.join(sites)}")


def check_price_table(today: date) -> list[Check]:
    """Are the published prices recent?"""
    newest = newest_change(today)
    if newest is None:
        return []
    days = (today - newest).days
    if days <= OLD_PRICES_DAYS:
        return [Check("published prices", "ok", f"the newest change they know is of {newest}")]
    advice = "pip install --upgrade genai-prices, or set prices of your own in healing-eval.toml"
    said = f"out of date: the newest change they know is of {newest}, {days} days ago"
    return [Check("published prices", "warn", said, advice)]
