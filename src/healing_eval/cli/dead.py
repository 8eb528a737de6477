"""What was set aside since it could not be worked on, and may it be tried again?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

import click
import msgspec
from rich.table import Table
from rich.text import Text

from healing_eval.cli.output import echo
from healing_eval.cli.styles import stdout_console
from healing_eval.cli.text import count_of, plain
from healing_eval.config import Settings, read_settings
from healing_eval.domain.conversation import key_to_text
from healing_eval.errors import ConfigError
from healing_eval.panel import build_panel
from healing_eval.ports.stream import DeadLetter, Stream
from healing_eval.wiring import build_ledger, build_stream

PAGE = 500
"""Dead letters asked for at once."""

T = TypeVar("T")

Act = Callable[[Stream, str, Sequence[str], Sequence[DeadLetter]], Awaitable[int]]
"""Does something with ids of a lane; the letters are those of them that exist."""


class DeadLine(msgspec.Struct, frozen=True):
    """A dead letter as it is shown."""

    lane: str
    id: str
    conversation_key: str | None
    """None: the entry could not be read, so it cannot be retried."""
    revision: int | None
    attempts: int
    buried_at: datetime
    reason: str


@click.group()
def dead() -> None:
    """Show messages that were set aside, send them back, or drop them.

    What crashed its worker too often, or was no message of ours, is set aside with the reason, so that it holds up
    nobody. The newest of each lane are kept, as many as the setting worker.dead_letters says.
    """


_lane_option = click.option("--lane", help="One lane only; without it all lanes.")
_id_option = click.option("--id", "dead_ids", multiple=True, help="As shown by list; needs --lane; repeatable.")
_all_option = click.option("--all", "everything", is_flag=True, help="Everything there is.")
_format_option = click.option(
    "--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True
)


@dead.command("list")
@_lane_option
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most to show of each lane.")
@_format_option
def list_all(lane: str | None, limit: int, style: str) -> None:
    """List what was set aside, oldest first."""
    settings = _settings()

    async def collect(stream: Stream, of: str) -> list[DeadLine]:
        page = await stream.list_dead(of, limit=limit)
        return [_line(of, letter) for letter in page.items]

    found = [line for lines in _on_lanes(settings, lane, collect) for line in lines]
    if style == "json":
        echo(msgspec.json.encode(found))
    elif found:
        _print(found)
    else:
        echo("nothing was set aside")


@dead.command()
@_lane_option
@_id_option
@_all_option
@_format_option
def retry(lane: str | None, dead_ids: Sequence[str], everything: bool, style: str) -> None:
    """Send messages back to their lane, as if never tried; those that could not be read stay."""
    ledger = build_ledger(_settings())

    async def send_back(stream: Stream, of: str, ids: Sequence[str], letters: Sequence[DeadLetter]) -> int:
        """Take back first that they were given up; a message that finds its lane closed would do nothing."""
        await ledger.open()
        try:
            await ledger.reopen([one.revision_key for one in letters if one.revision_key is not None], of)
            return await stream.revive(of, ids)
        finally:
            await ledger.close()

    _act(lane, dead_ids, everything, style, send_back, "sent back")


@dead.command()
@_lane_option
@_id_option
@_all_option
@_format_option
def drop(lane: str | None, dead_ids: Sequence[str], everything: bool, style: str) -> None:
    """Remove messages for good; the conversations themselves stay in the store."""
    _act(lane, dead_ids, everything, style, lambda stream, of, ids, _: stream.drop_dead(of, ids), "dropped")


def _act(lane: str | None, dead_ids: Sequence[str], everything: bool, style: str, act: Act, done: str) -> None:
    if everything == bool(dead_ids):
        raise click.UsageError("say which: either --id, once or more, or --all")
    if dead_ids and lane is None:
        raise click.UsageError("--id needs --lane: ids are given by each lane for itself")
    settings = _settings()

    async def each(stream: Stream, of: str) -> int:
        # All are listed before the first is touched: what is sent back now may be set aside again meanwhile.
        pages = [page async for page in _all_letters(stream, of)]
        if dead_ids:
            return await act(stream, of, dead_ids, [one for page in pages for one in page if one.dead_id in dead_ids])
        return sum([await act(stream, of, [one.dead_id for one in page], page) for page in pages])

    count = sum(_on_lanes(settings, lane, each))
    echo(msgspec.json.encode({"count": count}) if style == "json" else f"{count_of(count, 'message')} {done}")


async def _all_letters(stream: Stream, lane: str) -> AsyncGenerator[Sequence[DeadLetter]]:
    """Page through what was set aside."""
    page = await stream.list_dead(lane, limit=PAGE)
    yield page.items
    while page.next_cursor is not None:
        page = await stream.list_dead(lane, limit=PAGE, cursor=page.next_cursor)
        yield page.items


def _settings() -> Settings:
    settings = read_settings()
    if urlsplit(settings.stream_url).scheme == "memory":
        raise ConfigError(
            "setting 'stream_url' is memory://, which lives within the process that works and shows nothing to others; "
            "expected the address of a server, such as redis://localhost"
        )
    return settings


def _on_lanes(settings: Settings, lane: str | None, act: Callable[[Stream, str], Awaitable[T]]) -> list[T]:
    stream = build_stream(settings)
    lanes = (lane,) if lane is not None else build_panel(settings).lanes

    async def run() -> list[T]:
        try:
            return [await act(stream, one) for one in lanes]
        finally:
            await stream.close()

    return asyncio.run(run())


def _line(lane: str, letter: DeadLetter) -> DeadLine:
    key = letter.revision_key
    return DeadLine(
        lane=lane,
        id=letter.dead_id,
        conversation_key=None if key is None else key_to_text(key.conversation_key),
        revision=None if key is None else key.revision,
        attempts=letter.attempts,
        buried_at=letter.buried_at,
        reason=letter.reason,
    )


def _print(lines: Sequence[DeadLine]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("lane", "id", "conversation", "tries", "since", "reason"):
        table.add_column(column, overflow="fold")
    for line in lines:
        named = "unreadable" if line.conversation_key is None else f"{line.conversation_key} r{line.revision}"
        table.add_row(
            Text(plain(line.lane, 60)),
            Text(plain(line.id, 60), style="bold"),
            Text(named),
            Text(f"{line.attempts}"),
            Text(f"{line.buried_at:%Y-%m-%d %H:%M}", style="dim"),
            Text(plain(line.reason)),
        )
    stdout_console().print(table)
