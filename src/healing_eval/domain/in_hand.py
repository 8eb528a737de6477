"""What belongs to a conversation for as long as anybody has it in hand?"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from healing_eval.domain.conversation import Conversation

Key = TypeVar("Key")
Made = TypeVar("Made")


class PerConversation(Generic[Key, Made]):
    """Keeps what was made of a conversation for as long as anybody has that conversation in hand."""

    def __init__(self, make: Callable[[Conversation, Key], Made]) -> None:
        """Take what makes it; the same conversation and key must give the same."""
        self._make = make
        self._made: dict[int, tuple[weakref.ref[Conversation], dict[Key, Made]]] = {}

    def __len__(self) -> int:
        return len(self._made)

    def __call__(self, conversation: Conversation, key: Key) -> Made:
        """Give it, made now or before."""
        made = self._made_of(conversation)
        if key not in made:
            made[key] = self._make(conversation, key)
        return made[key]

    def put(self, conversation: Conversation, key: Key, made: Made) -> None:
        """Keep what was made elsewhere."""
        self._made_of(conversation)[key] = made

    def _made_of(self, conversation: Conversation) -> dict[Key, Made]:
        place = id(conversation)  # an id is given anew only when its owner is gone, and with it what was made
        known = self._made.get(place)
        if known is None or known[0]() is not conversation:
            known = weakref.ref(conversation, lambda _: self._made.pop(place, None)), dict[Key, Made]()
            self._made[place] = known
        return known[1]
