"""How far are we?"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

import click


class Progress(Protocol):
    """Where a long run says how far it is; everything on standard error."""

    def advance(self, n: int) -> None:
        """Say that `n` more bytes were read."""
        ...

    def count(self, n: int) -> None:
        """Say that `n` more conversations are done."""
        ...

    def tell(self, line: str) -> None:
        """Write a line without disturbing the bar."""
        ...


class Silent:
    """Shows no bar, for when nobody watches."""

    def advance(self, n: int) -> None:
        """Ignore it."""

    def count(self, n: int) -> None:
        """Ignore it."""

    def tell(self, line: str) -> None:
        click.echo(line, err=True)


class Bar:
    """A progress bar by bytes, since nobody knows beforehand how many conversations a file holds."""

    def __init__(self, total: int | None) -> None:
        from rich.console import Console  # noqa: PLC0415 - only where somebody watches
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
        from rich.progress import Progress as RichProgress  # noqa: PLC0415

        self._shown = RichProgress(
            TextColumn("evaluating"),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TextColumn("{task.fields[conversations]:,} conversations"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            expand=True,
        )
        self._task = self._shown.add_task("", total=total, conversations=0)
        self._conversations = 0

    def __enter__(self) -> Bar:
        self._shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.stop()

    def advance(self, n: int) -> None:
        self._shown.advance(self._task, n)

    def count(self, n: int) -> None:
        self._conversations += n
        self._shown.update(self._task, conversations=self._conversations)

    def tell(self, line: str) -> None:
        self._shown.console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


@contextmanager
def progress_on(watched: bool, total: int | None) -> Generator[Progress]:
    """Show a bar while the block runs, if somebody watches.

    Args:
        watched: whether standard error is a terminal that nothing else is written to.
        total: bytes to read; None if that is not known.
    """
    if not watched:
        yield Silent()
        return
    with Bar(total) as bar:
        yield bar
