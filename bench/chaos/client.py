"""Who keeps posting whatever happens, and knows what was accepted? Only what was answered 202 counts as accepted."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from contextlib import suppress

import msgspec

from bench.production.client import Bodies

THREADS = 4
BATCH = 5
PER_SECOND = 100
"""Conversations posted a second, when all goes well."""
AGAIN_SECONDS = 0.3
ANSWER_SECONDS = 8.0
_HEADERS = {"Content-Type": "application/json"}


class _Item(msgspec.Struct):
    status: str
    conversation_id: str | None = None


class _Answer(msgspec.Struct):
    items: list[_Item]


class Client:
    """Posts from several threads at a steady rate; what gets no 202 is posted again until it does."""

    def __init__(self, port: int, prefix: str) -> None:
        self.accepted: set[str] = set()
        self.posted = 0
        """Conversations sent for the first time."""
        self.reposts: Counter[str] = Counter()
        """Posts that had to be sent again, by what came instead of a 202."""
        self.twice = False
        """Whether everything is sent a second time."""
        self._port = port
        self._bodies = Bodies(prefix, BATCH)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._giving_up = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(THREADS)]

    def start(self) -> None:
        """Begin to post."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Send nothing new; what is on its way goes on."""
        self._closing.set()

    def give_up(self) -> None:
        """End, whatever was not accepted."""
        self._closing.set()
        self._giving_up.set()
        for thread in self._threads:
            thread.join(2 * ANSWER_SECONDS)

    def post(self, body: bytes) -> None:
        """Post something else besides, and return once it is accepted."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
        self._post_until_accepted(connection, body)
        connection.close()

    @property
    def is_done(self) -> bool:
        """Whether everything that was sent has been accepted."""
        return self._closing.is_set() and not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
        while not self._closing.is_set():
            started = time.monotonic()
            with self._lock:
                body = self._bodies.next()
                self.posted += BATCH
            self._post_until_accepted(connection, body)
            if self.twice:
                self._post_until_accepted(connection, body)
            pause = THREADS * BATCH / PER_SECOND - (time.monotonic() - started)
            self._closing.wait(max(0.0, pause))
        connection.close()

    def _post_until_accepted(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        while not self._giving_up.is_set():
            instead = self._post(connection, body)
            if instead is None:
                return
            with self._lock:
                self.reposts[instead] += 1
            self._giving_up.wait(AGAIN_SECONDS)

    def _post(self, connection: http.client.HTTPConnection, body: bytes) -> str | None:
        """Post once; None if it was accepted, else what happened."""
        try:
            connection.request("POST", "/api/v1/conversations", body, _HEADERS)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            with suppress(OSError):
                connection.close()
            return type(error).__name__
        if answer.status != 202:
            return str(answer.status)
        items = msgspec.json.decode(said, type=_Answer).items
        with self._lock:
            self.accepted.update(one.conversation_id for one in items if one.conversation_id and one.status in _TAKEN)
        return None if all(one.status in _TAKEN for one in items) else "rejected"


_TAKEN = ("accepted", "duplicate")
