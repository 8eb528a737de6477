"""What may be sent? The shapes of the requests, for the OpenAPI; `formats/` reads the bytes and is more tolerant.

Attribute docstrings become the descriptions there. Unknown fields are kept with the body and never lost, except those
of feedback that comes by itself: they would be, so they are refused.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=r"\S")]


class SentResult(msgspec.Struct, omit_defaults=True):
    """What a tool answered; any other JSON is taken too."""

    status: str | None = None
    data: Any = None
    error: Any = None
    """Says that the call failed, unless it is null, false or empty."""


class SentToolCall(msgspec.Struct, omit_defaults=True):
    """One call of one tool; OpenAI's `{id, function: {name, arguments}}` is taken too."""

    tool_name: Annotated[str, msgspec.Meta(min_length=1, pattern=r"\S")]
    parameters: dict[str, Any] = {}
    result: SentResult | None = None
    """Null or absent when the log holds no result."""
    latency_ms: Annotated[float, msgspec.Meta(ge=0)] | None = None


class SentTurn(msgspec.Struct, omit_defaults=True):
    """One contribution by one role."""

    turn_id: int | Name
    """Different in every turn of a conversation."""
    role: Literal["system", "user", "assistant", "tool"]
    content: str
    timestamp: datetime | None = None
    """ISO 8601."""
    tool_calls: list[SentToolCall] = []


class SentToolDefinition(msgspec.Struct, omit_defaults=True):
    """A tool the agent could call; OpenAI's and Anthropic's definitions are taken too."""

    name: Annotated[str, msgspec.Meta(min_length=1, pattern=r"\S")]
    description: str = ""
    parameters: dict[str, Any] | None = None
    """JSON Schema of the arguments."""


class SentReview(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """An operator's review."""

    quality: str | float
    notes: str | None = None


class SentAnnotation(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One person's verdict on one question."""

    type: Name
    """The question, such as helpfulness or the name of an issue type."""
    label: str | float | bool
    annotator_id: Name
    turn_id: int | Name | None = None
    """The turn concerned; it must be one of the conversation's."""
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    notes: str | None = None


class SentFeedback(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What people said; at least one of these. It is appended, and never replaces what was said before."""

    user_rating: Annotated[float, msgspec.Meta(ge=1, le=5)] | None = None
    """1 to 5, 5 best."""
    ops_review: SentReview | None = None
    annotations: list[SentAnnotation] | None = None


class SentConversation(msgspec.Struct, omit_defaults=True):
    """Ordered turns between a user and one version of an agent; OpenAI's `messages` are taken instead of `turns`."""

    conversation_id: Name
    """Names the conversation within the project: the same id and content again is a duplicate, changed content a new
    revision."""
    agent_version: Name
    turns: Annotated[list[SentTurn], msgspec.Meta(min_length=1, max_length=5000)]
    tools: list[SentToolDefinition] | None = None
    """The tools in force, called or not."""
    system_prompt: str | None = None
    complete: bool = True
    """False while more turns are expected, so that the ending is not judged yet."""
    feedback: SentFeedback | None = None
    """Never costs the conversation: what is wrong with it is left out, and the item's notes say so."""
    metadata: dict[str, Any] | None = None
    """Whatever is worth keeping. Evaluators do not read it, except `expected_calls`."""


class SentBatch(msgspec.Struct):
    """Conversations, each read by itself: a bad one never costs the good ones."""

    conversations: Annotated[list[SentConversation], msgspec.Meta(min_length=1, max_length=1000)]
