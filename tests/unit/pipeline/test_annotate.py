"""Feedback against the turns it speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

import pytest

from healing_eval.domain.annotation import Annotation
from healing_eval.domain.revision import ConversationHead, RevisionKey, StoredRevision
from healing_eval.errors import InvalidInput, NotFound
from healing_eval.formats.limits import WireLimits
from healing_eval.pipeline.annotate import annotate
from healing_eval.ports.ledger import Ledger

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = RevisionKey(b"k" * 16, 1)
HEAD = ConversationHead(
    revision_key=KEY,
    project="p",
    conversation_id="c",
    agent_version="v",
    status="done",
    turn_count=1,
    accepted_at=NOW,
)
BODY = b'{"conversation_id":"c","agent_version":"v","turns":[{"turn_id":"t1","role":"assistant","content":"hi"}]}'


class Shelf:
    def __init__(self, *bodies: bytes) -> None:
        self._bodies = bodies
        self.said: list[Annotation] = []

    async def load(self, keys: Sequence[RevisionKey]) -> list[StoredRevision]:
        return [
            StoredRevision(
                revision_key=KEY, project="p", conversation_id="c", accepted_at=NOW, complete=True, body=body
            )
            for body in self._bodies
        ]

    async def annotate(self, key: bytes, annotations: Sequence[Annotation]) -> int:
        self.said += annotations
        return len(annotations)


async def test_feedback_on_a_turn_that_exists_is_appended() -> None:
    shelf = Shelf(BODY)
    feedback = b'{"annotations":[{"type":"tone","label":"good","annotator_id":"ann","turn_id":"t1"}]}'

    answer = await annotate(cast("Ledger", shelf), HEAD, feedback, WireLimits())

    assert (answer.received, answer.added) == (1, 1)
    assert shelf.said[0].turn_id == "t1"


async def test_feedback_on_a_turn_that_does_not_exist_is_refused() -> None:
    shelf = Shelf(BODY)
    feedback = b'{"annotations":[{"type":"tone","label":"good","annotator_id":"ann","turn_id":"t2"}]}'

    with pytest.raises(InvalidInput) as refused:
        await annotate(cast("Ledger", shelf), HEAD, feedback, WireLimits())

    assert refused.value.pointer == "/annotations/0/turn_id"
    assert shelf.said == []


async def test_feedback_on_what_is_gone_says_so() -> None:
    with pytest.raises(NotFound):
        await annotate(cast("Ledger", Shelf()), HEAD, b'{"user_rating": 3}', WireLimits())
