"""Where does one conversation end and the next begin, in a stream of any length?

The stream is lines of JSON, values one after the other, an array, or an envelope `{"conversations": […]}`, pretty or
not; kinds may follow each other. An item is yielded verbatim and may still be no conversation, or no JSON: `read_item`
says so. What cannot be told apart is a problem of its own, and reading goes on behind it:

- An object outside of an array whose line ends inside a string is over with that line.
- While an item is open, a line that is a whole conversation by itself (a comma may follow) is one: what came before was
  cut off.
- Inside an array, items end where their brackets do, whatever else is wrong with them.
- A line that begins with no bracket is an item of its own, so that each line that was sent keeps its place.

Most lines never come that far: a line that is a whole object goes through by itself, checked by msgspec.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from typing import Literal

import msgspec

from healing_eval.formats.brackets import ENVELOPE_KEY, KEPT, Scan, Stop, Window, match_end

Container = Literal["stream", "array", "envelope"]

MAX_ITEM_BYTES = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_PLAIN_LINE_BYTES = 65536
"""A longer line is scanned, so that an envelope of any length on one line is never in memory as a whole."""
_BLANK = re.compile(rb"[\s\x1e]*")  # the record separator is that of RFC 7464
_BLANK_OR_COMMA = re.compile(rb"[\s,]*")
_SCALAR = re.compile(rb'[^\s,"{}\[\]]{1,%d}|[}]' % KEPT)
_REST_OF_LINE = re.compile(rb"[^\n]*")
_REST_OF_SCALAR = re.compile(rb'[^\s,"{}\[\]]*')
_PROBLEMS: dict[Stop, str] = {
    "newline": "is cut off: its line ends inside a string",
    "conversation": "is cut off: the next conversation begins before this one is closed",
    "end": "is cut off: the input ends before it is closed",
}

_check = msgspec.json.Decoder(msgspec.Raw).decode


class RawItem(msgspec.Struct, frozen=True):
    """The bytes between two boundaries."""

    index: int
    """Position in the stream, from 0, problems included."""
    line: int
    """Line on which it starts, from 1."""
    raw: bytes
    """Verbatim, without white space around it; b"" when it was too large to keep."""
    problem: str | None = None
    """Why it cannot be a conversation, to be read after "the item"; None if it may be one."""
    container: Container = "stream"


def iter_items(chunks: Iterable[bytes], *, max_item_bytes: int = MAX_ITEM_BYTES) -> Iterator[RawItem]:
    """Split a stream into items, with memory for little more than one of them.

    Args:
        chunks: the stream, cut anywhere.
        max_item_bytes: a longer item is reported as a problem and skipped.
    """
    return _Splitter(Window(chunks), max_item_bytes).items()


class _Splitter:
    def __init__(self, window: Window, max_bytes: int) -> None:
        self._window = window
        self._max_bytes = max_bytes
        self._count = 0

    def items(self) -> Iterator[RawItem]:
        window = self._window
        while len(window.data) < len(_BOM) and window.more():
            pass
        if window.data.startswith(_BOM):
            window.drop(len(_BOM))
        while window.skip(_BLANK):
            first = window.take(1)
            if first == b"[":
                window.drop(1)
                yield from self._array("array")
            elif first != b"{":
                yield self._junk()
            elif line := self._plain_line():
                yield self._line(line)
            else:
                yield from self._object()

    def _plain_line(self) -> bytes:
        """Copy the line if it is one whole object and no envelope; b"" if not."""
        end = self._window.find_newline(0, min(_PLAIN_LINE_BYTES, self._max_bytes))
        if end < 0:
            return b""
        line = self._window.take(end).rstrip()
        if ENVELOPE_KEY in line:
            return b""
        try:
            _check(line)
        except (msgspec.DecodeError, RecursionError):
            return b""
        return line

    def _object(self) -> Iterator[RawItem]:
        """Take the object outside of any array, or the items in it if it turns out to be an envelope."""
        scan = Scan(self._window, self._max_bytes, in_stream=True)
        stop = scan.follow()
        if stop != "envelope":
            yield self._scanned(scan, stop, "stream")
            return
        while stop == "envelope":
            self._window.drop(scan.at)
            closed = yield from self._array("envelope")
            if not closed:
                return
            scan = Scan(self._window, self._max_bytes, depth=1, in_stream=True)
            stop = scan.follow()
        if stop == "closed":
            self._window.drop(scan.at)
        else:
            yield self._scanned(scan, stop, "envelope")

    def _array(self, container: Container) -> Generator[RawItem, None, bool]:
        """Take the items of an array whose opening bracket was read; True if it is closed."""
        window = self._window
        while window.skip(_BLANK_OR_COMMA):
            first = window.take(1)
            if first == b"]":
                window.drop(1)
                return True
            scan = Scan(window, self._max_bytes)
            if first in (b"{", b"["):
                stop = scan.follow()
            elif first == b'"':
                stop = scan.follow_string()
            else:
                yield self._scalar(container)
                continue
            yield self._scanned(scan, stop, container)
            if stop == "end":
                return False
        yield self._item(0, "is missing: the input ends before the array is closed", container)
        return False

    def _scalar(self, container: Container) -> RawItem:
        """Take what will be refused anyway; of a very long one the beginning is kept."""
        window = self._window
        while len(window.data) <= KEPT and window.more():
            pass
        length = match_end(_SCALAR, window.data, 0)
        item = self._item(length, None, container)
        if length == KEPT:
            window.skip(_REST_OF_SCALAR)
        return item

    def _junk(self) -> RawItem:
        """Take a line that begins with no bracket; of a long one the beginning is kept."""
        window = self._window
        end = window.find_newline(0, KEPT)
        item = self._item(KEPT if end < 0 else end, "is no conversation: expected an object on the line")
        window.skip(_REST_OF_LINE)
        return item

    def _scanned(self, scan: Scan, stop: Stop, container: Container) -> RawItem:
        """Take what was followed, with the problem that the stop means."""
        if scan.size > self._max_bytes:
            item = RawItem(self._count, scan.line, b"", self._too_large(scan.size), container)
            self._count += 1
            self._window.drop(scan.at)
            return item
        return self._item(scan.at, _PROBLEMS.get(stop), container)

    def _too_large(self, size: int) -> str:
        return f"has {size} bytes, the limit is {self._max_bytes}"

    def _line(self, line: bytes) -> RawItem:
        """Take a line that was copied."""
        item = RawItem(self._count, self._window.line, line)
        self._count += 1
        self._window.drop_within_line(len(line))
        return item

    def _item(self, length: int, problem: str | None = None, container: Container = "stream") -> RawItem:
        raw = self._window.take(length).rstrip()
        item = RawItem(self._count, self._window.line, raw, problem, container)
        self._count += 1
        self._window.drop(length)
        return item
