"""In which order is feedback taken? Read it against the conversation's turns, then append it."""

from __future__ import annotations

import msgspec

from healing_eval.domain.revision import ConversationHead
from healing_eval.errors import NotFound
from healing_eval.formats.feedback import read_feedback
from healing_eval.formats.item import read_conversation
from healing_eval.formats.limits import WireLimits
from healing_eval.ports.ledger import Ledger


class FeedbackAnswer(msgspec.Struct, frozen=True):
    """What became of the feedback."""

    received: int
    """Annotations in the request."""
    added: int
    """Those that were appended; the others say what the newest one said already."""


async def annotate(ledger: Ledger, head: ConversationHead, body: bytes, limits: WireLimits) -> FeedbackAnswer:
    """Append what people say about a conversation; nothing said before is replaced.

    Raises:
        InvalidInput: the feedback cannot be read, or points at a turn that is not there.
        BackendError: the store cannot take it now; nothing is stored.
    """
    stored = await ledger.load([head.revision_key])
    if not stored:
        raise NotFound("the conversation is gone")
    turns = read_conversation(stored[0].body, project=head.project).turns
    annotations = read_feedback(body, limits, [turn.turn_id for turn in turns])
    added = await ledger.annotate(head.revision_key.conversation_key, annotations)
    return FeedbackAnswer(received=len(annotations), added=added)
