"""Who may use the server? API keys are made, listed and revoked here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from rich.table import Table
from rich.text import Text

from healing_eval.cli.output import echo
from healing_eval.cli.stores import opening_store
from healing_eval.cli.styles import stdout_console
from healing_eval.cli.text import plain
from healing_eval.config import Settings, read_settings
from healing_eval.pipeline.access import DEFAULT_PROJECT, NewKey, create_key, revoke_key
from healing_eval.ports.catalog import SCOPES, ApiKey, Catalog, Scope
from healing_eval.wiring import build_catalog

T = TypeVar("T")


class KeyLine(msgspec.Struct, frozen=True):
    """A key as it is listed: its secret is known to its owner only."""

    key_id: str
    name: str
    project: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    revoked_at: datetime | None


_data_option = click.option(
    "--data", "data_dir", type=click.Path(file_okay=False, path_type=Path), help="Folder of the store."
)


@click.group()
@_data_option
@click.pass_context
def keys(ctx: click.Context, data_dir: Path | None) -> None:
    """Create, list and revoke API keys. Once there is a key, every request needs one."""
    ctx.obj = data_dir


@keys.command()
@click.option("--name", default="", help="What the key is for; shown in lists.")
@click.option(
    "--scope", "scopes", type=click.Choice(SCOPES), multiple=True, required=True, help="What it may do; repeatable."
)
@click.option("--project", default=DEFAULT_PROJECT, show_default=True, help="Project whose data it opens.")
@_data_option
@click.pass_obj
def create(data_before: Path | None, data_dir: Path | None, name: str, scopes: Sequence[Scope], project: str) -> None:
    """Make a key and print it. It is shown this once and stored nowhere."""
    now = datetime.now(UTC)

    async def make(catalog: Catalog) -> NewKey:
        return await create_key(catalog, project=project, scopes=scopes, name=name, created_at=now)

    new = _with_catalog(data_dir or data_before, make)
    echo(new.text)
    click.echo(f"key {new.record.key_id} of project {plain(project)} may {', '.join(new.record.scopes)}", err=True)
    click.echo("keep it now: it is not stored and cannot be shown again", err=True)


@keys.command("list")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@_data_option
@click.pass_obj
def list_all(data_before: Path | None, data_dir: Path | None, style: str) -> None:
    """List all keys, revoked ones included, oldest first."""
    found = _with_catalog(data_dir or data_before, lambda catalog: catalog.list_keys())
    lines = [_line(key) for key in found]
    if style == "json":
        echo(msgspec.json.encode(lines))
    elif lines:
        _print(lines)
    else:
        echo("no keys yet; make one with: healing-eval keys create --scope ingest --scope read")


@keys.command()
@click.argument("key_id")
@_data_option
@click.pass_obj
def revoke(data_before: Path | None, data_dir: Path | None, key_id: str) -> None:
    """Make the key KEY_ID useless."""
    now = datetime.now(UTC)
    _with_catalog(data_dir or data_before, lambda catalog: revoke_key(catalog, key_id, at=now))
    echo(f"revoked {plain(key_id)}; a running server refuses it within half a minute")


def _with_catalog(data_dir: Path | None, act: Callable[[Catalog], Awaitable[T]]) -> T:
    settings = read_settings(**({} if data_dir is None else {"data_dir": data_dir}))

    async def run() -> T:
        async with _open_catalog(settings) as catalog:
            return await act(catalog)

    return asyncio.run(run())


@asynccontextmanager
async def _open_catalog(settings: Settings) -> AsyncGenerator[Catalog]:
    catalog = build_catalog(settings)
    with opening_store(settings):
        await catalog.open()
    try:
        yield catalog
    finally:
        await catalog.close()


def _line(key: ApiKey) -> KeyLine:
    return KeyLine(key.key_id, key.name, key.project, key.scopes, key.created_at, key.revoked_at)


def _print(lines: Sequence[KeyLine]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("key", "name", "project", "may", "created", "state"):
        table.add_column(column, overflow="fold")
    for line in lines:
        revoked = line.revoked_at is not None
        table.add_row(
            Text(line.key_id, style="dim" if revoked else "bold"),
            Text(plain(line.name)),
            Text(plain(line.project)),
            Text(", ".join(line.scopes)),
            Text(f"{line.created_at:%Y-%m-%d %H:%M}", style="dim"),
            Text(
                f"revoked {line.revoked_at:%Y-%m-%d %H:%M}" if revoked else "valid", style="red" if revoked else "green"
            ),
        )
    stdout_console().print(table)
