"""Which conversation is in these bytes, and what is its fingerprint?

An item has `turns` (our own shape) or `messages` (OpenAI chat), never both. Names that an item of messages does not
say are found where others keep them: the id under the names in `ID_ALIASES`, there or in the metadata, else it is made
from the content; the agent version as `metadata.agent_version` or `model`, else "unknown".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from healing_eval.domain.conversation import Conversation, ExpectedCall, ToolDefinition, conversation_key
from healing_eval.domain.revision import Submission
from healing_eval.errors import InvalidInput
from healing_eval.formats.canonical import Content
from healing_eval.formats.feedback import feedback_of
from healing_eval.formats.fields import as_array, as_name, as_object, inside, wrong
from healing_eval.formats.jsontext import decode_object
from healing_eval.formats.limits import UNLIMITED, WireLimits
from healing_eval.formats.openai_chat import read_messages
from healing_eval.formats.repair import repair
from healing_eval.formats.tools import read_definitions
from healing_eval.formats.turns import Outline, outline_of
from healing_eval.formats.wire import outline_turns, read_turns

ID_ALIASES = (
    "conversation_id",
    "id",
    "session_id",
    "sessionId",
    "thread_id",
    "session.id",
    "gen_ai.conversation.id",
)
"""Where others keep the id of a conversation, best first."""


class LocalItem(msgspec.Struct, frozen=True):
    """One item of a file, read to be evaluated and not to be stored."""

    conversation: Conversation
    fingerprint: int
    """64 bits of the content; they mean nothing outside of this process."""
    notes: tuple[str, ...] = ()
    """As those of a submission."""


def read_item(raw: bytes, *, project: str, limits: WireLimits) -> Submission:
    """Check one item, and read of it what the store has to know.

    Args:
        raw: the item's JSON.
        project: to whom it belongs.
        limits: what the sender may send.

    Returns:
        The submission. Its body is `raw` itself unless `notes` names repairs; feedback that is wrong is left out, and
        `notes` says so; its chain has a hash for each entry of the raw array, so with folded tool messages it is longer
        than the conversation.

    Raises:
        InvalidInput: with a JSON Pointer relative to the item.
    """
    body, notes = repair(raw)
    item = decode_object(body)
    shape = shape_of(item)
    outline = outline_turns(item, limits) if shape == "turns" else _outline_messages(item, limits)
    rest = _read_rest(item, shape, outline.entries, limits, lenient=shape == "messages")
    annotations, left_out = feedback_of(item, limits, outline.turn_ids)
    links, digest = rest.content.hashes()
    return Submission(
        project=project,
        key=conversation_key(project, rest.conversation_id),
        conversation_id=rest.conversation_id,
        agent_version=rest.content.agent_version,
        turn_count=len(outline.turn_ids),
        evaluable=outline.has_agent,
        complete=rest.complete,
        body=body,
        content_hash=digest,
        turn_hashes=links,
        annotations=annotations,
        notes=notes + left_out,
    )


def _outline_messages(item: dict[str, Any], limits: WireLimits) -> Outline:
    dialogue = read_messages(item, limits)
    return outline_of(dialogue.turns, dialogue.entries)


def read_local_item(raw: bytes, *, project: str, limits: WireLimits) -> LocalItem:
    """Read one item of a file, which nobody stores; missing names are found or made for our own shape too.

    Raises:
        InvalidInput: with a JSON Pointer relative to the item.
    """
    body, notes = repair(raw)
    item = decode_object(body)
    conversation, content = _read(item, project, limits, derive_ids=True)
    _, left_out = feedback_of(item, limits, [turn.turn_id for turn in conversation.turns])
    return LocalItem(conversation, content.fingerprint(), notes + left_out)


def read_conversation(body: bytes, *, project: str) -> Conversation:
    """Read the conversation of an item that was accepted before, whatever the limits are now.

    Raises:
        InvalidInput: it was never accepted as it is now.
    """
    repaired, _ = repair(body)
    return _read(decode_object(repaired), project, UNLIMITED, derive_ids=False)[0]


def _read(item: dict[str, Any], project: str, limits: WireLimits, *, derive_ids: bool) -> tuple[Conversation, Content]:
    shape = shape_of(item)
    dialogue = read_turns(item, limits) if shape == "turns" else read_messages(item, limits)
    rest = _read_rest(item, shape, dialogue.entries, limits, lenient=derive_ids or shape == "messages")
    conversation = Conversation(
        key=conversation_key(project, rest.conversation_id),
        conversation_id=rest.conversation_id,
        agent_version=rest.content.agent_version,
        turns=dialogue.turns,
        tools=rest.tools,
        system_prompt=dialogue.system_prompt,
        project=project,
        complete=rest.complete,
        expected_calls=rest.expected_calls,
        metadata=rest.metadata,
    )
    return conversation, rest.content


class _Rest(msgspec.Struct, frozen=True):
    """What is no turn and no message."""

    conversation_id: str
    content: Content
    tools: tuple[ToolDefinition, ...]
    complete: bool
    expected_calls: tuple[ExpectedCall, ...] | None
    metadata: dict[str, Any]


def _read_rest(item: dict[str, Any], shape: str, entries: list[Any], limits: WireLimits, *, lenient: bool) -> _Rest:
    """Read all else; `lenient` finds or makes names that are missing."""
    metadata = _read_metadata(item.get("metadata"))
    agent_version = _agent_version(item, metadata, limits, lenient=lenient)
    tools = item.get("tools")
    place = "tools"
    if tools is None and shape == "messages":
        place, tools = "functions", item.get("functions")
    content = Content(shape, agent_version, tools, item.get("system_prompt"), entries)
    return _Rest(
        _conversation_id(item, metadata, limits, content if lenient else None),
        content,
        () if tools is None else read_definitions(tools, f"/{place}"),
        _complete(item),
        _expected_calls(metadata),
        metadata,
    )


def shape_of(item: dict[str, Any]) -> str:
    """Tell whether an item has `turns` or `messages`."""
    turns, messages = item.get("turns") is not None, item.get("messages") is not None
    if turns and messages:
        raise InvalidInput("has both turns and messages; expected one of them")
    if not turns and not messages:
        named = next((f"/{name}" for name in ("turns", "messages") if name in item), "")
        raise InvalidInput("is missing; expected a non-empty array of turns (or messages)", pointer=named or "/turns")
    return "turns" if turns else "messages"


def _read_metadata(value: Any) -> dict[str, Any]:
    return {} if value is None else as_object(value, "/metadata")


def _complete(item: dict[str, Any]) -> bool:
    value = item.get("complete")
    if value is None:
        return True
    if not isinstance(value, bool):
        raise wrong("true or false", value, pointer="/complete")
    return value


def _agent_version(item: dict[str, Any], metadata: dict[str, Any], limits: WireLimits, *, lenient: bool) -> str:
    given = item.get("agent_version")
    if given is None and lenient:
        for pointer, value in (
            ("/metadata/agent_version", metadata.get("agent_version")),
            ("/model", item.get("model")),
        ):
            if value is not None:
                return as_name(value, pointer, limits)
        return "unknown"
    return as_name(given, "/agent_version", limits)


def _conversation_id(
    item: dict[str, Any], metadata: dict[str, Any], limits: WireLimits, content: Content | None
) -> str:
    """Find the id; with `content`, also under other names, and else made from it."""
    given = item.get("conversation_id")
    if given is not None or content is None:
        return as_name(given, "/conversation_id", limits)
    for pointer, value in _aliases(item, metadata):
        if value is not None:
            name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            return as_name(name, pointer, limits)
    return f"chat-{content.hashes().digest.hex()[:12]}"


def _aliases(item: dict[str, Any], metadata: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    for name in ID_ALIASES:
        yield f"/{name}", item.get(name)
    for name in ID_ALIASES:
        yield f"/metadata/{name}", metadata.get(name)


def _expected_calls(metadata: dict[str, Any]) -> tuple[ExpectedCall, ...] | None:
    value = metadata.get("expected_calls")
    if value is None:
        return None
    calls: list[ExpectedCall] = []
    with inside("/metadata/expected_calls"):
        for index, raw in enumerate(as_array(value)):
            with inside(f"/{index}"):
                calls.append(_expected_call(as_object(raw)))
    return tuple(calls)


def _expected_call(table: dict[str, Any]) -> ExpectedCall:
    name = table.get("tool_name")
    if not isinstance(name, str) or not name.strip():
        raise wrong("the name of the tool", name, pointer="/tool_name")
    parameters = table.get("parameters")
    return ExpectedCall(
        tool_name=name,
        parameters={} if parameters is None else as_object(parameters, "/parameters"),
    )
