"""How do files become conversations, one at a time, whatever their length?"""

from __future__ import annotations

import asyncio
import signal
import threading
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO

import click
import msgspec

from healing_eval.config import Limits
from healing_eval.domain.revision import Submission
from healing_eval.errors import InvalidInput
from healing_eval.formats.item import read_item
from healing_eval.formats.limits import WireLimits
from healing_eval.formats.split import iter_items

STDIN = "-"
CHUNK = 256 * 1024
_GZIP_MAGIC = b"\x1f\x8b"


class Refused(msgspec.Struct, frozen=True):
    """An item, or the rest of a file, that could not be read."""

    file: str
    reason: str
    pointer: str = ""
    """JSON Pointer within the item."""
    line: int | None = None
    """From 1; None when the file itself is at fault."""
    index: int | None = None
    """Place among the file's items, from 0."""

    def __str__(self) -> str:
        place = [self.file]
        if self.line is not None:
            place.append(f"line {self.line}")
        if self.index is not None and self.line != self.index + 1:
            place.append(f"item {self.index + 1}")
        if self.pointer:
            place.append(self.pointer)
        return f"{', '.join(place)}: {self.reason}"


class Reader:
    """Reads files of any supported format, gzip or not, and goes on after what cannot be read."""

    def __init__(self, project: str, limits: Limits, on_bytes: Callable[[int], None]) -> None:
        self._project = project
        self._limits = WireLimits(limits.batch, limits.turns, limits.id_characters)
        self._max_item_bytes = limits.body_bytes
        self._on_bytes = on_bytes

    def read(self, files: Iterable[str]) -> Iterator[Submission | Refused]:
        """Read the conversations of all files, in order; "-" is standard input."""
        for file in files:
            yield from self._read_file(file)

    def _read_file(self, file: str) -> Iterator[Submission | Refused]:
        name = "standard input" if file == STDIN else click.format_filename(file)
        try:
            with click.open_file(file, "rb") as stream:
                yield from self._read_items(name, stream)
        except InvalidInput as error:
            yield Refused(name, error.reason, error.pointer)
        except zlib.error:
            yield Refused(name, "the gzip data are damaged; what came before was read")
        except EOFError:
            yield Refused(name, "the gzip data end too early; what came before was read")
        except OSError as error:
            yield Refused(name, error.strerror or str(error))

    def _read_items(self, name: str, stream: IO[bytes]) -> Iterator[Submission | Refused]:
        chunks = _decompressed(_chunks(stream, self._on_bytes))
        for item in iter_items(chunks, max_item_bytes=self._max_item_bytes):
            if item.problem is not None:
                yield Refused(name, item.problem, "", item.line, item.index)
                continue
            try:
                yield read_item(item.raw, project=self._project, limits=self._limits, derive_ids=True)
            except InvalidInput as error:
                yield Refused(name, error.reason, error.pointer, item.line, item.index)


def size_of(files: Iterable[str]) -> int | None:
    """Sum the sizes of the files, in bytes; None if one of them has none, such as a pipe."""
    total = 0
    for file in files:
        if file == STDIN or not Path(file).is_file():
            return None
        total += Path(file).stat().st_size
    return total


def _chunks(stream: IO[bytes], on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    read = getattr(stream, "read1", stream.read)  # gives what is there, so that a slow pipe is evaluated as it comes
    while True:
        with _interrupts_raised_at_once():
            chunk: bytes = read(CHUNK)
        if not chunk:
            return
        on_bytes(len(chunk))
        yield chunk


@contextmanager
def _interrupts_raised_at_once() -> Generator[None]:
    """Let Ctrl-C end a read that waits for a pipe; asyncio would wait for the read to end first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if _interrupt_is_pending():
            raise KeyboardInterrupt
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt_is_pending() -> bool:
    """Whether Ctrl-C came before the read and waits for the task to pause."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # not read from within a loop
        return False
    return task is not None and task.cancelling() > 0


def _decompressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack gzip, told by its first two bytes and not by the file's name; anything else passes through."""
    head = b""
    while len(head) < len(_GZIP_MAGIC) and (chunk := next(chunks, b"")):
        head += chunk
    whole = chain((head,), chunks)
    return _gunzip(whole) if head.startswith(_GZIP_MAGIC) else whole


def _gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack gzip with any number of members, never more than a chunk at a time.

    Raises:
        EOFError: the data end within a member.
        zlib.error: they are damaged.
    """
    member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    for chunk in chunks:
        rest = chunk
        while rest:
            if member.eof:
                member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            yield member.decompress(rest, CHUNK)
            rest = member.unused_data if member.eof else member.unconsumed_tail
    while not member.eof:
        more = member.decompress(b"", CHUNK)
        if not more:
            raise EOFError
        yield more
