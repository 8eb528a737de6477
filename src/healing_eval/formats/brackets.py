"""Where does the value that begins here end?

Brackets outside of strings are followed through a window on a stream that may be cut anywhere. Every byte is looked at
a fixed number of times, however the stream is cut and whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

KEPT = 64
"""Bytes kept behind the scan of a value too large to keep: enough to recognise the envelope's key."""

ENVELOPE_KEY = b'"conversations"'

_NEWLINE, _QUOTE, _BACKSLASH = b'\n"\\'
_FLAT = re.compile(rb'[^"{}\[\]]*')
_NESTED = re.compile(rb'[^"{}\[\]]*(?:"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"[^"{}\[\]]*)*')
_IN_STRING = re.compile(rb'[^"\\\n]*(?:\\[^\n][^"\\\n]*)*')
_OPENS_ARRAY = re.compile(rb"\s*:\s*\[")
_MAY_OPEN_ARRAY = re.compile(rb"\s*(?::\s*)?\Z")

Stop = Literal["closed", "envelope", "newline", "conversation", "end"]
"""The value is closed; an envelope's array begins; a string meets the end of its line; another conversation begins on
a line of its own; the stream ends."""


class Window:
    """The part of the stream that is in memory; `data[0]` is where reading stands."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.data = bytearray()
        self.line = 1
        self._chunks = iter(chunks)

    def more(self) -> bool:
        """Append the next chunk; False at the end of the stream."""
        for chunk in self._chunks:
            if chunk:
                self.data += chunk
                return True
        return False

    def take(self, count: int) -> bytes:
        """Copy the next `count` bytes."""
        with memoryview(self.data) as view:
            return bytes(view[:count])

    def drop(self, count: int) -> None:
        """Go on by `count` bytes."""
        self.line += self.data.count(b"\n", 0, count)
        del self.data[:count]

    def drop_within_line(self, count: int) -> None:
        """Go on by `count` bytes that hold no line break."""
        del self.data[:count]

    def skip(self, blank: re.Pattern[bytes]) -> bool:
        """Go past all that `blank` matches; False when nothing follows."""
        while True:
            end = match_end(blank, self.data, 0)
            whole = len(self.data)
            self.drop(end)
            if end < whole:
                return True
            if not self.more():
                return False

    def find_newline(self, start: int, limit: int) -> int:
        """Find the end of the line, or of the stream; -1 if it lies beyond the position `limit`."""
        while (found := self.data.find(b"\n", start)) < 0:
            start = len(self.data)
            if start > limit:
                return -1
            if not self.more():
                return start
        return found if found <= limit else -1


def match_end(pattern: re.Pattern[bytes], data: bytearray, start: int) -> int:
    """Say where the match ends, `start` without one; a match object that lived on would lock the buffer."""
    match = pattern.match(data, start)
    return match.end() if match else start


class Scan:
    """Follows the brackets of the value at the window's beginning.

    Args:
        window: where the value begins.
        max_bytes: how much of it may be kept; of a larger one only the end is.
        depth: how many brackets are open already.
        in_stream: whether it stands outside of any array. Only then it may turn out to be an envelope, and only then a
            line break in a string ends it.
    """

    def __init__(self, window: Window, max_bytes: int, *, depth: int = 0, in_stream: bool = False) -> None:
        self.at = 0
        """Everything before this position in the window has been followed."""
        self.lost = 0
        """Bytes of the value that were let go because it is too large."""
        self.line = window.line
        self._window = window
        self._max_bytes = max_bytes
        self._depth = depth
        self._in_stream = in_stream
        self._in_string = False
        self._string_start = 0

    @property
    def size(self) -> int:
        """Bytes followed, the lost ones included."""
        return self.at + self.lost

    def follow(self) -> Stop:
        """Go on until the value ends, or something else does."""
        window = self._window
        while True:
            stop = self._string() if self._in_string else self._bracket()
            if stop == "starved":
                self._spill()
                if not window.more():
                    self.at = len(window.data)
                    return "end"
            elif stop is not None:
                return stop

    def follow_string(self) -> Stop:
        """Follow a value that is a string."""
        self._in_string, self.at = True, 1
        return self.follow()

    def _spill(self) -> None:
        if self.at > max(self._max_bytes, KEPT):
            count = self.at - KEPT
            self._window.drop(count)
            self.lost += count
            self.at = KEPT
            self._string_start -= count

    def _bracket(self) -> Stop | Literal["starved"] | None:
        """Take the next bracket or the beginning of a string that is not taken in one go."""
        data = self._window.data
        key_may_come = self._in_stream and self._depth == 1
        self.at = match_end(_FLAT if key_may_come else _NESTED, data, self.at)
        if self.at == len(data):
            return "starved"
        byte = data[self.at]
        if byte == _QUOTE:
            self._in_string, self._string_start = True, self.at
        elif byte in b"}]":
            self._depth -= 1
        elif self._depth and self.at and data[self.at - 1] == _NEWLINE and self._begins_conversation():
            return "conversation"
        else:
            self._depth += 1
        self.at += 1
        return "closed" if byte in b"}]" and self._depth <= 0 else None

    def _string(self) -> Stop | Literal["starved"] | None:
        """Take what is left of the string."""
        data = self._window.data
        self.at = match_end(_IN_STRING, data, self.at)
        if self.at == len(data) or (data[self.at] == _BACKSLASH and self.at + 1 == len(data)):
            return "starved"
        if data[self.at] == _NEWLINE and self._in_stream:
            return "newline"
        if data[self.at] != _QUOTE:  # a line break that is not ours to judge, or a backslash before one
            self.at += 1
            return None
        if self._ends_key():
            after = self.at + 1
            if (end := match_end(_OPENS_ARRAY, data, after)) > after:
                self.at = end
                self._in_string = False
                return "envelope"
            if _MAY_OPEN_ARRAY.match(data, after):
                return "starved"
        self.at += 1
        self._in_string = False
        return "closed" if self._depth == 0 else None

    def _ends_key(self) -> bool:
        start = self._string_start
        if not self._in_stream or self._depth != 1 or start < 0 or self.at + 1 - start != len(ENVELOPE_KEY):
            return False
        return self._window.data.startswith(ENVELOPE_KEY, start)

    def _begins_conversation(self) -> bool:
        """Tell whether the line that begins here is a whole conversation, so that the one before was cut off."""
        end = self._window.find_newline(self.at, self.at + self._max_bytes)
        if end < 0:
            return False
        return _is_conversation(bytes(self._window.data[self.at : end]).rstrip(b", \t\r"))


_ABSENT = msgspec.Raw(b"")


class _Conversation(msgspec.Struct):
    """What makes an object a conversation, or an envelope of them, without looking closer."""

    turns: msgspec.Raw = _ABSENT
    messages: msgspec.Raw = _ABSENT
    conversations: msgspec.Raw = _ABSENT


_peek = msgspec.json.Decoder(_Conversation).decode


def _is_conversation(line: bytes) -> bool:
    try:
        found = _peek(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return any(bytes(part) for part in (found.turns, found.messages, found.conversations))
