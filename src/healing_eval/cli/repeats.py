"""Was this conversation seen before in this run?"""

from __future__ import annotations

from healing_eval.formats.item import LocalItem

CAPACITY = 500_000
"""Conversations remembered: about 80 MB. Of longer inputs, the oldest are forgotten."""


class Repeats:
    """Tells repeated from changed conversations, in bounded memory.

    It keeps 64 bits of each conversation's key and content; among half a million, two are mistaken for one another with
    a probability below 1e-8.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._contents: dict[int, int] = {}
        self._revisions: dict[int, int] = {}
        self.duplicates = 0
        self.revised = 0
        self.forgetting = False
        """Whether the input was longer than the memory, so that `duplicates` and `revised` are lower bounds."""

    def revision_of(self, item: LocalItem) -> int | None:
        """Number this state of the conversation, 1 for the first; None if it is the same as the one before."""
        conversation = item.conversation
        key = int.from_bytes(conversation.key[:8], "big")
        content = item.fingerprint ^ conversation.complete
        before = self._contents.get(key)
        if before == content:
            self.duplicates += 1
            return None
        self._contents[key] = content
        if before is None:
            self._make_room()
            return 1
        self.revised += 1
        revision = self._revisions.get(key, 1) + 1
        self._revisions[key] = revision
        return revision

    def _make_room(self) -> None:
        if len(self._contents) > self._capacity:
            self.forgetting = True
            oldest = next(iter(self._contents))
            del self._contents[oldest]
            self._revisions.pop(oldest, None)
