"""How is a conversation of OpenAI chat messages read?

A turn is called by the position of its message, counted from 1. Answers of tools are folded into the calls they
answer; one that answers no call becomes a turn of its own. System messages at the beginning are the system prompt,
unless the item has one. A logged request with its response (`choices`, or `response.choices`) is one conversation: the
first choice is its last message.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from healing_eval.domain.conversation import Role, ToolCall, Turn
from healing_eval.errors import InvalidInput
from healing_eval.formats.fields import as_array, as_object, inside, optional_text, parse_json, within
from healing_eval.formats.limits import WireLimits
from healing_eval.formats.tools import read_calls, read_result
from healing_eval.formats.turns import Dialogue, read_content, read_entries, read_role, read_timestamp


class _Draft(msgspec.Struct):
    """A turn whose calls may still get their results."""

    position: int
    role: Role
    message: dict[str, Any]
    content: str
    calls: list[ToolCall]

    def finish(self) -> Turn:
        return Turn(
            turn_id=self.position,
            role=self.role,
            content=self.content,
            timestamp=read_timestamp(self.message.get("timestamp")),
            tool_calls=tuple(self.calls),
        )


class _Reader:
    """Reads messages one after the other."""

    def __init__(self) -> None:
        self.drafts: list[_Draft] = []
        self._open: dict[str, list[tuple[_Draft, int]]] = {}
        """By call id, and by tool name for the legacy shape without ids: calls that wait for an answer."""

    def read(self, raw: Any, position: int) -> None:
        message = as_object(raw)
        role = read_role(message.get("role"))
        if role == "tool" and self._fold(message):
            return
        calls = list(_calls_of(message))
        draft = _Draft(position=position, role=role, message=message, content=_content_of(message), calls=calls)
        for index, call in enumerate(calls):
            for name in _handles(call.call_id, call.tool_name):
                self._open.setdefault(name, []).append((draft, index))
        self.drafts.append(draft)

    def _fold(self, message: dict[str, Any]) -> bool:
        """Put a tool's answer into the call it answers; False when there is none."""
        call_id, name = message.get("tool_call_id"), message.get("name")
        handle = f"id:{call_id}" if call_id is not None else f"name:{name}"
        waiting = self._open.get(handle, [])
        while waiting:
            # Ids are unique, so the newest call is meant; calls by name are answered in the order they were made.
            draft, index = waiting.pop() if call_id is not None else waiting.pop(0)
            call = draft.calls[index]
            if call.result is None:
                draft.calls[index] = msgspec.structs.replace(call, result=read_result(_answer_of(message)))
                return True
        return False


def read_messages(item: dict[str, Any], limits: WireLimits) -> Dialogue:
    """Read the `messages` of an item.

    Raises:
        InvalidInput: a message is not what it should be, or there is nothing beside the system prompt.
    """
    entries = read_entries(item, "messages", limits)
    reader = _Reader()
    for index, raw in enumerate(entries):
        try:
            reader.read(raw, index + 1)
        except InvalidInput as error:
            raise within(f"/messages/{index}", error) from None
    answer = logged_answer(item)
    if answer is not None:
        with inside("/choices/0/message" if item.get("choices") else "/response/choices/0/message"):
            reader.read(answer, len(entries) + 1)
        entries = [*entries, answer]
    prompt, drafts = _split_prompt(item, reader.drafts)
    return Dialogue(turns=tuple(_finish(drafts)), entries=entries, system_prompt=prompt)


def logged_answer(item: dict[str, Any]) -> dict[str, Any] | None:
    """Find the message that a logged response adds to the request's messages."""
    response = item.get("response")
    choices, place = item.get("choices"), "/choices"
    if not choices and isinstance(response, dict):
        choices, place = cast("dict[str, Any]", response).get("choices"), "/response/choices"
    if not choices:
        return None
    choice = as_object(as_array(choices, place)[0], f"{place}/0")
    return as_object(choice.get("message"), f"{place}/0/message")


def _finish(drafts: list[_Draft]) -> list[Turn]:
    turns: list[Turn] = []
    for draft in drafts:
        with inside(f"/messages/{draft.position - 1}"):
            turns.append(draft.finish())
    return turns


def _split_prompt(item: dict[str, Any], drafts: list[_Draft]) -> tuple[str | None, list[_Draft]]:
    given = optional_text(item, "system_prompt")
    first = 0
    if given is None:
        while first < len(drafts) and drafts[first].role == "system":
            first += 1
    if first == len(drafts):
        raise InvalidInput("holds nothing but the system prompt; expected at least one turn", pointer="/messages")
    return (given or "\n\n".join(draft.content for draft in drafts[:first]) or None), drafts[first:]


def _content_of(message: dict[str, Any]) -> str:
    """An assistant's null content stands beside its tool calls or its refusal."""
    content = message.get("content")
    if content is None:
        return optional_text(message, "refusal") or ""
    return read_content(content)


def _calls_of(message: dict[str, Any]) -> tuple[ToolCall, ...]:
    calls = read_calls(message.get("tool_calls"))
    legacy = message.get("function_call")
    if calls or legacy is None:
        return calls
    try:
        return read_calls([{"function": legacy}])
    except InvalidInput as error:
        pointer = error.pointer.removeprefix("/tool_calls/0/function")
        raise InvalidInput(error.reason, pointer=f"/function_call{pointer}") from None


def _handles(call_id: str | None, name: str) -> tuple[str, ...]:
    return (f"name:{name}",) if call_id is None else (f"id:{call_id}", f"name:{name}")


def _answer_of(message: dict[str, Any]) -> Any:
    """A tool's answer is text; where the text is a JSON object or array, that is meant."""
    text = _content_of(message)
    if text.lstrip()[:1] in ("{", "["):
        try:
            return parse_json(text)
        except ValueError:
            return text
    return text
