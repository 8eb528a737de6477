"""What has to be in order for Healing Eval to work here?"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from healing_eval import plugins
from healing_eval.cli.check import Check
from healing_eval.cli.model_checks import check_models
from healing_eval.cli.plugins import PluginLine, lines_of
from healing_eval.cli.stores import fault_of, store_file
from healing_eval.cli.text import bytes_of
from healing_eval.config import Settings
from healing_eval.errors import BackendError, HealingEvalError, PluginError
from healing_eval.masking import masked
from healing_eval.panel import build_cache
from healing_eval.ports.ledger import Ledger
from healing_eval.wiring import build_ledger, build_stream

OLDEST_PYTHON = (3, 11)
LITTLE_SPACE = 1_000_000_000
"""Bytes: about 100,000 conversations with what belongs to them."""
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""Before this version was written; a clock that says so is wrong."""
SERVER_MODULES = ("litestar", "uvicorn", "httptools", "sqlalchemy", "aiosqlite", "alembic")


def all_checks(settings: Settings, *, online: bool) -> Iterator[Check]:
    """Look at everything, one thing after the other."""
    yield check_python()
    yield check_clock(datetime.now(UTC))
    if store_file(settings) is not None:
        yield check_data_dir(settings.data_dir)
        yield check_space(settings.data_dir)
    extra = check_server_extra()
    yield extra
    serves = extra.status == "ok"
    if serves:
        yield check_port(settings.host, settings.port)
    yield from check_plugins(settings, [group for group in plugins.GROUPS if serves or not in_extra(group)])
    if serves:
        yield check_store(settings)
        if urlsplit(settings.stream_url).scheme != "memory":
            yield asyncio.run(check_stream_server(settings))
    if urlsplit(settings.cache_url).scheme != "memory" and settings.cache.keep_days:
        yield asyncio.run(check_cache(settings))
    yield from asyncio.run(check_models(settings, online=online))


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """Is the interpreter new enough?"""
    shown = f"{platform.python_implementation()} {'.'.join(map(str, version))}"
    if version < OLDEST_PYTHON:
        return Check("python", "fail", shown, f"use Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer")
    return Check("python", "ok", shown)


def check_clock(now: datetime) -> Check:
    """Can it be as late as the clock says?"""
    shown = f"{now:%Y-%m-%d %H:%M} UTC"
    if now < EARLIEST:
        return Check("clock", "fail", shown, "set the clock; verdicts are dated and keys expire by it")
    return Check("clock", "ok", shown)


def check_data_dir(data_dir: Path) -> Check:
    """Can the folder of the store be written to?"""
    folder = _existing(data_dir)
    if not folder.is_dir():
        return Check("data folder", "fail", f"{folder} is no folder", "set HEALING_EVAL_DATA_DIR to a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        advice = "make it writable, or set HEALING_EVAL_DATA_DIR to another folder"
        return Check("data folder", "fail", f"{folder} cannot be written to", advice)
    made = "" if folder == data_dir else " (made when needed)"
    return Check("data folder", "ok", f"{data_dir.absolute()}{made}")


def check_space(data_dir: Path) -> Check:
    """Is there room for the store to grow?"""
    free = shutil.disk_usage(_existing(data_dir)).free
    if free < LITTLE_SPACE:
        return Check("free space", "warn", bytes_of(free), "make room: a conversation takes about 10 kB")
    return Check("free space", "ok", bytes_of(free))


def _existing(path: Path) -> Path:
    """The path itself, or the nearest of its parents that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def check_server_extra() -> Check:
    """Are the libraries of the server there?"""
    missing = [name for name in SERVER_MODULES if find_spec(name) is None]
    if missing:
        advice = "for `up` and `demo`: pip install 'healing-eval[server]'; `evaluate` works without"
        return Check("server libraries", "warn", f"not installed: {', '.join(missing)}", advice)
    return Check("server libraries", "ok", "installed")


def check_port(host: str, port: int) -> Check:
    """Could the server listen where the settings say?"""
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        advice = "stop what listens there, or choose another with --port or HEALING_EVAL_PORT"
        return Check("port", "warn", f"{where}: {error.strerror or error}", advice)
    return Check("port", "ok", f"{where} is free")


def in_extra(group: str) -> bool:
    """Whether the built-in plug-ins of a group need libraries that the core does not bring."""
    return group in plugins.EXTRA_OF_GROUP


def check_plugins(settings: Settings, groups: Sequence[str] = plugins.GROUPS) -> Iterator[Check]:
    """Does each plug-in of these groups load and accept its options?"""
    lines = [line for group in groups for line in lines_of(group, settings)]
    broken = faults_among(lines, settings)
    for line in broken:
        yield Check("plug-in", "fail", f"{line.name}: {line.error}", _advice_on(line))
    if not broken:
        yield Check("plug-ins", "ok", f"{len(lines)} load")


def faults_among(lines: Sequence[PluginLine], settings: Settings) -> list[PluginLine]:
    """List the plug-ins that do not load and should: not those of an extra of their own that no setting asks for."""
    addresses = {
        "store_url": settings.effective_store_url,
        "stream_url": settings.stream_url,
        "cache_url": settings.cache_url,
    }

    def is_needed(line: PluginLine) -> bool:
        if (line.group, line.name) not in plugins.EXTRA_OF_PLUGIN:
            return True
        return urlsplit(addresses.get(plugins.SETTING_OF_GROUP[line.group], "")).scheme == line.name

    return [line for line in lines if line.error is not None and is_needed(line)]


def _advice_on(line: PluginLine) -> str:
    if in_extra(line.group) or (line.group, line.name) in plugins.EXTRA_OF_PLUGIN:
        return "install the extra it belongs to, or repair it"
    return f"repair or uninstall {line.distribution}, or correct its options"


def check_store(settings: Settings) -> Check:
    """Does the store's server answer? Or can its file be one, and does SQLite work beside it?

    A server is asked and not changed; SQLite is tried out on a database that is thrown away.
    """
    file = store_file(settings)
    if file is None:
        return asyncio.run(check_store_server(settings))
    fault = fault_of(file)
    if fault is not None:
        return Check("store", "fail", fault.reason, fault.advice)
    try:
        parent = _existing(file.absolute().parent)
        with tempfile.TemporaryDirectory(prefix="healing-eval-doctor-", dir=parent) as folder:
            writes_ahead = asyncio.run(_try_store(Path(folder) / "probe.db"))
    except (HealingEvalError, OSError) as error:
        return Check("store", "fail", str(error), "the data folder must be writable and on a local disk")
    if not writes_ahead:
        return Check("store", "warn", "SQLite has no write-ahead log here", "use a data folder on a local disk")
    return Check("store", "ok", "SQLite works here, with a write-ahead log")


async def _try_store(file: Path) -> bool:
    """Open a new store and say whether it writes ahead."""
    url = f"sqlite:///{file}"
    ledger = cast("type[Ledger]", plugins.load_for_url(plugins.LEDGER, url)).from_url(url)
    await ledger.open()
    try:
        await ledger.check()
        return _log_of(file).exists()
    finally:
        await ledger.close()


async def check_store_server(settings: Settings) -> Check:
    """Does the server of the store answer and let us in, and which schema does it hold?"""
    try:
        ledger = build_ledger(settings)
        try:
            return Check("store", "ok", f"{masked(settings.effective_store_url)}: {await ledger.about()}")
        finally:
            await ledger.close()
    except HealingEvalError as error:
        return Check("store", "fail", str(error), _advice_on_server(error, "HEALING_EVAL_STORE_URL"))


async def check_stream_server(settings: Settings) -> Check:
    """Does the server of the stream answer and let us in?"""
    try:
        stream = build_stream(settings)
        try:
            return Check("stream", "ok", f"{masked(settings.stream_url)}: {await stream.about()}")
        finally:
            await stream.close()
    except BackendError as error:
        return Check("stream", "fail", f"setting 'stream_url': {error}", _advice_on_server(error, _STREAM))
    except HealingEvalError as error:
        return Check("stream", "fail", str(error), _advice_on_server(error, _STREAM))


_STREAM = "HEALING_EVAL_STREAM_URL"


async def check_cache(settings: Settings) -> Check:
    """Can what was remembered be looked up? In the store it can from the start on, and the store has its own check."""
    shown = masked(settings.cache_url)
    if settings.cache_url == settings.effective_store_url:
        return Check("cache", "ok", f"{shown}: in the store")
    try:
        cache = build_cache(settings)
        assert cache is not None
        try:
            await cache.get([_NO_KEY])
            return Check("cache", "ok", f"{shown} answers")
        finally:
            await cache.close()
    except BackendError as error:
        return Check("cache", "fail", f"setting 'cache_url', {shown}: {error}", _advice_on_server(error, _CACHE))
    except HealingEvalError as error:
        return Check("cache", "fail", str(error), _advice_on_server(error, _CACHE))


_CACHE = "HEALING_EVAL_CACHE_URL"
_NO_KEY = bytes(16)


def _advice_on_server(error: HealingEvalError, variable: str) -> str:
    if isinstance(error, PluginError):
        return "install the extra it belongs to, or repair it"
    if isinstance(error, BackendError):
        return f"start the server, or correct {variable}"
    return f"correct {variable}, or what the server holds and allows"


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")
