"""What did the user and the agent say and do?

A `Conversation` is a view of the accepted bytes: it holds what evaluators look at, and the bytes keep the rest.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]
TurnId = int | str

KEY_BYTES = 16
BUCKETS = 1024


def conversation_key(project: str, conversation_id: str) -> bytes:
    """Derive the key under which every store files a conversation.

    Returns:
        16 bytes: BLAKE2b-128 over both names, each preceded by its length so that no two pairs collide.
    """
    digest = blake2b(digest_size=KEY_BYTES)
    for name in (project.encode(), conversation_id.encode()):
        digest.update(len(name).to_bytes(8, "big"))
        digest.update(name)
    return digest.digest()


def key_to_text(key: bytes) -> str:
    """Write a key as 26 lower-case base32 characters without padding, safe in a path."""
    return b32encode(key).decode().rstrip("=").lower()


def key_from_text(text: str) -> bytes | None:
    """Read what `key_to_text` wrote; None if the text is no key."""
    if len(text) != 26:
        return None
    try:
        return b32decode(text.upper() + "======")
    except ValueError:
        return None


def bucket_of(key: bytes) -> int:
    """Map a key to its bucket in [0, 1024); a shard is the bucket modulo the number of shards."""
    return int.from_bytes(key, "big") % BUCKETS


class ToolResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a tool answered."""

    value: Any = None
    """The whole answer as it was sent, unknown fields included."""
    status: str | None = None
    """What the sender called the outcome, such as "success"; None if not said."""
    error: str | None = None
    """The error as text; None if the call succeeded."""

    @property
    def failed(self) -> bool:
        """Whether the tool reported an error."""
        return self.error is not None


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call of one tool by the agent."""

    tool_name: str
    parameters: dict[str, Any] = {}
    result: ToolResult | None = None
    """None when the log holds no result."""
    latency_ms: float | None = None
    call_id: str | None = None
    malformed_arguments: str | None = None
    """The arguments as the model wrote them, when they are no JSON object; `parameters` is then empty."""


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """One contribution by one role."""

    turn_id: TurnId
    role: Role
    content: str = ""
    timestamp: datetime | None = None
    """Aware, UTC."""
    tool_calls: tuple[ToolCall, ...] = ()


class ToolDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool the agent could call, as it was defined when the conversation took place."""

    name: str
    description: str = ""
    parameters: dict[str, Any] | None = None
    """JSON Schema of the arguments; None when only the name is known."""


class ExpectedCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call that a person says should have been made (`metadata.expected_calls`)."""

    tool_name: str
    parameters: dict[str, Any] = {}
    """Argument name to the one acceptable value, or to `{"any_of": [...]}`; a null in `any_of` lets it be absent."""


class Conversation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, weakref=True):
    """Ordered turns between a user and one version of an agent."""

    key: bytes
    conversation_id: str
    agent_version: str
    turns: tuple[Turn, ...]
    tools: tuple[ToolDefinition, ...] = ()
    system_prompt: str | None = None
    project: str = "default"
    """To whom it belongs. What is asked, remembered or paid for never mixes two of them."""
    complete: bool = True
    """False while more turns are expected, so that endings are not judged yet."""
    expected_calls: tuple[ExpectedCall, ...] | None = None
    metadata: dict[str, Any] = {}
    """Whatever the sender attached. Evaluators do not read it."""

    @property
    def evaluable(self) -> bool:
        """Whether the agent said or did anything."""
        return any(turn.role == "assistant" for turn in self.turns)
