"""Which class stands behind a name? Entry points, so that yours and ours take the same path."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from urllib.parse import urlsplit

from healing_eval.errors import ConfigError, PluginError
from healing_eval.masking import masked

EVALUATORS = "healing_eval.evaluators"
CHAT_MODEL = "healing_eval.chat_model"
BATCH_MODEL = "healing_eval.batch_model"
LEDGER = "healing_eval.ledger"
CATALOG = "healing_eval.catalog"
BATCH_WORK = "healing_eval.batch_work"
STREAM = "healing_eval.stream"
LEASE = "healing_eval.lease"
LIMITER = "healing_eval.limiter"
SPENDING = "healing_eval.spending"
CACHE = "healing_eval.cache"
ARCHIVE = "healing_eval.archive"
TRACER = "healing_eval.tracer"
GROUPS = (
    *(EVALUATORS, CHAT_MODEL, BATCH_MODEL),
    *(LEDGER, CATALOG, BATCH_WORK, STREAM, LEASE, LIMITER, SPENDING, CACHE, ARCHIVE, TRACER),
)

EXTRA_OF_GROUP = {LEDGER: "server", CATALOG: "server", BATCH_WORK: "server"}
"""Which extra brings the libraries that the built-in plug-ins of a group need."""

EXTRA_OF_PLUGIN = {
    **{
        (group, scheme): "redis"
        for group in (STREAM, LEASE, LIMITER, SPENDING, CACHE)
        for scheme in ("redis", "rediss")
    },
    **{(group, "postgresql"): "postgresql" for group in (LEDGER, CATALOG, BATCH_WORK)},
    (CACHE, "sqlite"): "server",
    (CACHE, "postgresql"): "server,postgresql",
    **{(TRACER, scheme): "otel" for scheme in ("http", "https")},
}
"""Which extra single ones need besides; who does not name them in a setting does not need them."""

SETTING_OF_GROUP = {
    LEDGER: "store_url",
    CATALOG: "store_url",
    BATCH_WORK: "store_url",
    STREAM: "stream_url",
    LEASE: "stream_url",
    LIMITER: "stream_url",
    SPENDING: "stream_url",
    CACHE: "cache_url",
    ARCHIVE: "archive_url",
    TRACER: "telemetry.otlp_endpoint",
}
"""Which setting holds the URL by which a group's plug-in is chosen."""


def found(group: str) -> dict[str, EntryPoint]:
    """Map each name in a group to its entry point, without importing anything.

    Raises:
        PluginError: two distributions offer the same name.
    """
    named: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        other = named.setdefault(point.name, point)
        if other.value != point.value:
            raise PluginError(f"two plug-ins are called {point.name!r} in {group}: {other.value} and {point.value}")
    return dict(sorted(named.items()))


def load(group: str, name: str) -> type:
    """Import the class behind a name.

    Raises:
        PluginError: there is no such name, or its module cannot be imported.
    """
    known = found(group)
    if name not in known:
        raise PluginError(f"no {name!r} among {group}; known: {', '.join(known) or 'none'}")
    try:
        loaded = known[name].load()
    except ImportError as error:
        extras = [extra for extra in (EXTRA_OF_GROUP.get(group), EXTRA_OF_PLUGIN.get((group, name))) if extra]
        hint = f"; try: pip install 'healing-eval[{','.join(extras)}]'" if extras else ""
        raise PluginError(f"{group} {name!r} cannot be imported: {error}{hint}") from error
    except AttributeError as error:
        raise PluginError(f"{group} {name!r} names {known[name].value}, which does not exist") from error
    if not isinstance(loaded, type):
        raise PluginError(f"{group} {name!r} must name a class, not {loaded!r}")
    return loaded


def load_for_url(group: str, url: str) -> type:
    """Import the class that speaks a URL's scheme.

    Raises:
        ConfigError: the URL has no scheme, or nothing speaks it.
        PluginError: what speaks it cannot be imported; names the setting, and the extra that is missing.
    """
    scheme = urlsplit(url).scheme
    known = found(group)
    setting = f"setting {SETTING_OF_GROUP[group]!r}: " if group in SETTING_OF_GROUP else ""
    if scheme not in known:
        schemes = ", ".join(known) or "none"
        raise ConfigError(f"{setting}{masked(url)!r} needs one of the schemes {schemes} ({group})")
    try:
        return load(group, scheme)
    except PluginError as error:
        raise PluginError(f"{setting}{error}") from error
