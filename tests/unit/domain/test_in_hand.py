"""Is what was made of a conversation made once, and gone with it?"""

from __future__ import annotations

import gc

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.in_hand import PerConversation
from healing_eval.testing.builders import a_conversation


def test_it_is_made_once_for_each_conversation_and_key() -> None:
    made: list[tuple[str, int]] = []

    def make(conversation: Conversation, key: int) -> int:
        made.append((conversation.conversation_id, key))
        return len(made)

    shared, one, two = PerConversation(make), a_conversation("one"), a_conversation("two")

    assert [shared(one, 1), shared(one, 1), shared(one, 2), shared(two, 1), shared(one, 1)] == [1, 1, 2, 3, 1]
    assert made == [("one", 1), ("one", 2), ("two", 1)]


def test_an_equal_conversation_is_another_one() -> None:
    shared = PerConversation(lambda conversation, _: conversation)
    one, same = a_conversation(), a_conversation()

    assert shared(one, None) is one
    assert shared(same, None) is same


def test_nothing_is_kept_of_what_nobody_has_in_hand() -> None:
    shared = PerConversation(lambda conversation, _: conversation.conversation_id)
    kept = [a_conversation(f"c{number}") for number in range(100)]
    made = [shared(conversation, None) for conversation in kept]
    assert len(shared) == len(made)

    del kept[10:]
    gc.collect()

    assert len(shared) == 10
