"""What do the checks look at? One conversation's calls, and what came before each."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from healing_eval.domain.conversation import Conversation, ToolCall, ToolDefinition, ToolResult, Turn
from healing_eval.evaluators.tool_call.options import Options
from healing_eval.evaluators.tool_call.tools import NO_SCHEMA, SchemaShelf, ToolSchema, plain_name
from healing_eval.evaluators.values.text import Passages, words_of_name

# fmt: off
WRITE_VERBS = frozenset((
    "add", "apply", "approve", "assign", "authorize", "block", "book", "buy", "cancel", "change", "charge", "close",
    "confirm", "create", "delete", "deposit", "disable", "edit", "enable", "exchange", "grant", "insert", "invite",
    "make", "modify", "move", "open", "order", "pay", "place", "post", "purchase", "put", "record", "refund",
    "register", "remove", "rent", "request", "reschedule", "reserve", "reset", "return", "revoke", "schedule", "send",
    "set", "share", "submit", "subscribe", "transfer", "update", "upgrade", "upload", "withdraw", "write",
))
# fmt: on


_BUILT_IN = frozenset(
    ("python", "code_interpreter", "web_search", "file_search", "browser", "computer", "multi_tool_use_parallel")
)
"""Tools that model providers add by themselves, so that no definition is sent for them."""


class PlacedCall(msgspec.Struct, frozen=True):
    """A call, where it was made, and how much had been said before it."""

    turn: Turn
    turn_index: int
    call: ToolCall
    known_pieces: int
    """How many pieces of `Context.passages` came before the call."""
    users_turns: int
    """How many turns of the user came before the call."""


class Context:
    """One conversation as the checks see it; the expensive parts are made when first asked for."""

    def __init__(self, conversation: Conversation, options: Options, shelf: SchemaShelf) -> None:
        self.conversation = conversation
        self.knows_tools = bool(conversation.tools)
        """Whether anybody said which tools the agent had, and so what their arguments should be."""
        self.options = options
        self._shelf = shelf
        self._definitions = {plain_name(tool.name): tool for tool in conversation.tools}
        self._schemas: dict[str, ToolSchema] = {}
        self.calls, self.passages = _read(conversation)

    def is_defined(self, tool_name: str) -> bool:
        """Whether the agent was given this tool; true when nobody said which tools it had."""
        if not self._definitions:
            return True
        plain = plain_name(tool_name)
        return plain in self._definitions or plain in _BUILT_IN

    def definition(self, tool_name: str) -> ToolDefinition | None:
        """The tool as it was given to the agent."""
        return self._definitions.get(plain_name(tool_name))

    def schema(self, tool_name: str) -> ToolSchema:
        """What is known about a tool's arguments."""
        if not self.knows_tools:
            return NO_SCHEMA
        found = self._schemas.get(tool_name)
        if found is None:
            definition = self._definitions.get(plain_name(tool_name))
            found = self._schemas[tool_name] = self._shelf.get(definition) if definition else NO_SCHEMA
        return found

    def verb(self, tool_name: str) -> str | None:
        """The writing verb in a tool's name; None for a tool that only reads."""
        return _verb(tool_name[:200], self.options.write_verbs)


@lru_cache(maxsize=4096)
def _verb(tool_name: str, more: tuple[str, ...]) -> str | None:
    verbs = WRITE_VERBS | {verb.lower() for verb in more}
    return next((word for word in words_of_name(tool_name) if word in verbs), None)


def _read(conversation: Conversation) -> tuple[list[PlacedCall], Passages]:
    """List the calls, and what could ground their values in the order in which it became known.

    The agent's own words count from the moment the user answers them: until then nobody but the agent said so.
    """
    pieces = [conversation.system_prompt] if conversation.system_prompt else []
    unanswered: list[str] = []
    calls: list[PlacedCall] = []
    users_turns = 0
    for index, turn in enumerate(conversation.turns):
        role = turn.role
        if role == "user":
            users_turns += 1
            if unanswered:
                pieces += unanswered
                unanswered.clear()
        for call in turn.tool_calls:
            if role == "assistant":  # what users do with tools of their own is not the agent's to answer for
                calls.append(PlacedCall(turn, index, call, len(pieces), users_turns))
            if call.result is not None:
                pieces.append(result_text(call.result))
        if content := turn.content:
            (unanswered if role == "assistant" else pieces).append(content)
    return calls, Passages(pieces)


def result_text(result: ToolResult) -> str:
    """Write a tool's answer as text in which words stand apart."""
    value = result.value
    if isinstance(value, str):
        return value
    try:
        encoded = msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return str(result.error or "")
    if b"\\" in encoded:
        encoded = encoded.replace(b"\\n", b"  ").replace(b"\\t", b"  ").replace(b'\\"', b' "')
    return encoded.decode()
