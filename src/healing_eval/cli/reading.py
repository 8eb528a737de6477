"""How do files become conversations, one at a time, whatever their length?"""

from __future__ import annotations

import asyncio
import re
import signal
import threading
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from healing_eval.cli.text import count_of
from healing_eval.errors import InvalidInput
from healing_eval.formats.item import LocalItem, read_local_item
from healing_eval.formats.limits import WireLimits
from healing_eval.formats.split import RawItem, iter_items
from healing_eval.sections import Limits

STDIN = "-"
CHUNK = 256 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_UTF16 = re.compile(rb"\xff\xfe|\xfe\xff|[{\[]\x00|\x00[{\[]")
"""A byte order mark, or what JSON begins with beside a zero byte."""
_BINARY = re.compile(rb"(?:\xef\xbb\xbf)?[\s\x1e]*(?![\s\x1e\[])[^{\x00-\x08\x0e-\x1a]*[\x00-\x08\x0e-\x1a]")
"""Control characters that no text has, before anything that JSON begins with."""
_LOOKED_AT = 4096
"""Bytes at the beginning of a file that tell what it is."""


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

    def __init__(
        self,
        project: str,
        limits: Limits,
        on_bytes: Callable[[int], None],
        on_note: Callable[[str], None] = lambda note: None,
    ) -> None:
        """Take what holds for all files.

        Args:
            project: to whom the conversations belong.
            limits: what is refused as too large.
            on_bytes: told how many more bytes were read.
            on_note: told what is no fault and still worth knowing.
        """
        self._project = project
        self._limits = WireLimits(limits.batch, limits.turns, limits.id_characters)
        self._max_item_bytes = limits.body_bytes
        self._on_bytes = on_bytes
        self._on_note = on_note

    def read(self, files: Iterable[str]) -> Iterator[LocalItem | Refused]:
        """Read the conversations of all files, in order; "-" is standard input."""
        for file in files:
            yield from self._read_file(file)

    def _read_file(self, file: str) -> Iterator[LocalItem | Refused]:
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
        except IsADirectoryError:
            yield Refused(name, "is a directory; expected a file")
        except OSError as error:
            yield Refused(name, error.strerror or str(error))

    def _read_items(self, name: str, stream: IO[bytes]) -> Iterator[LocalItem | Refused]:
        chunks = _text(_decompressed(_chunks(stream, self._on_bytes)))
        messages = _LooseMessages(name)
        is_empty = True
        for item in iter_items(chunks, max_item_bytes=self._max_item_bytes):
            is_empty = False
            read = self._read_item(name, item)
            if isinstance(read, Refused) and messages.take(item):
                continue
            yield from messages.told()
            yield read
        yield from messages.told()
        if is_empty:
            self._on_note(f"{name} holds no conversation")

    def _read_item(self, name: str, item: RawItem) -> LocalItem | Refused:
        if item.problem is not None:
            return Refused(name, item.problem, "", item.line, item.index)
        try:
            return read_local_item(item.raw, project=self._project, limits=self._limits)
        except InvalidInput as error:
            return Refused(name, error.reason, error.pointer, item.line, item.index)


class _LooseMessages:
    """Gathers messages that stand in an array where conversations should, to refuse them all at once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._first: RawItem | None = None
        self._count = 0

    def take(self, item: RawItem) -> bool:
        """Take an item that was refused if it is a message of an array."""
        if item.container != "array" or item.problem is not None or not _is_message(item.raw):
            return False
        self._first = self._first or item
        self._count += 1
        return True

    def told(self) -> Iterator[Refused]:
        """Refuse what was taken since the last time, if anything was."""
        if self._first is None:
            return
        reason = (
            f"an array of {count_of(self._count, 'message')} is one conversation, not several; "
            'expected {"messages": […]} around it'
        )
        yield Refused(self._file, reason, "", self._first.line, self._first.index)
        self._first, self._count = None, 0


def _is_message(raw: bytes) -> bool:
    try:
        shape = msgspec.json.decode(raw, type=_Shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(shape.role, str) and shape.messages is shape.turns is msgspec.UNSET


class _Shape(msgspec.Struct):
    """What tells a message from a conversation."""

    role: Any = None
    messages: Any = msgspec.UNSET
    turns: Any = msgspec.UNSET


def size_of(files: Iterable[str]) -> int | None:
    """Sum the sizes of the files, in bytes; None if one of them has none, such as a pipe."""
    total = 0
    for file in files:
        path = Path(file)
        if path.is_file():
            total += path.stat().st_size
        elif file == STDIN or (path.exists() and not path.is_dir()):  # what is missing or a folder will be refused
            return None
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


def _text(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Let pass what may be UTF-8; waits for no more than the first bytes.

    Raises:
        InvalidInput: it is something else, and whatever were read of it would be refused.
    """
    head = b""
    while len(head) < 2 and (chunk := next(chunks, b"")):
        head += chunk
    if _UTF16.match(head):
        raise InvalidInput("looks like UTF-16; expected UTF-8")
    if _BINARY.match(head[:_LOOKED_AT]):
        raise InvalidInput("looks binary; expected JSON as UTF-8 text, gzipped or not")
    return chain((head,), chunks)


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
