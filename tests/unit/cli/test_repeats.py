"""Are repeated and changed conversations told apart?"""

from __future__ import annotations

from healing_eval.cli.repeats import Repeats
from healing_eval.domain.conversation import Conversation, conversation_key
from healing_eval.formats.item import LocalItem


def item(conversation_id: str, content: int, *, complete: bool = True) -> LocalItem:
    key = conversation_key("default", conversation_id)
    conversation = Conversation(
        key=key, conversation_id=conversation_id, agent_version="v", turns=(), complete=complete
    )
    return LocalItem(conversation, fingerprint=content << 32)


def test_the_same_again_is_a_duplicate_and_a_change_another_revision() -> None:
    repeats = Repeats()

    seen = [repeats.revision_of(item("a", content)) for content in (1, 1, 2, 2, 1)]

    assert seen == [1, None, 2, None, 3]
    assert (repeats.duplicates, repeats.revised) == (2, 2)


def test_the_same_content_under_another_id_is_another_conversation() -> None:
    repeats = Repeats()

    assert [repeats.revision_of(item(name, 1)) for name in "ab"] == [1, 1]


def test_the_same_content_now_complete_is_another_revision() -> None:
    repeats = Repeats()

    assert repeats.revision_of(item("a", 1, complete=False)) == 1
    assert repeats.revision_of(item("a", 1)) == 2


def test_the_oldest_are_forgotten_when_the_memory_is_full() -> None:
    repeats = Repeats(capacity=2)

    seen = [repeats.revision_of(item(name, 1)) for name in "abcca"]

    assert seen == [1, 1, 1, None, 1]
    assert repeats.forgetting
