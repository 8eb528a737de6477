"""How does hostile text stand in a prompt without leaving its place?

Every line of the block is one JSON object in pure ASCII, so no text can start a line of its own; the tags around it
carry a nonce that was drawn after the text was written and does not occur in it. Nor does the block hold a "<" or a
"[INST]" of anybody's: JSON has another way to write them. So a model that takes any closing tag for the end meets none,
and a server that reads the control tokens of its chat template wherever they stand finds none either.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from healing_eval.domain.conversation import Conversation, ToolCall, Turn

_HIDDEN_CLASS = (
    "\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
HIDDEN = re.compile(f"[{_HIDDEN_CLASS}]")
"""Characters that a reader does not see and a model does: zero-width, tag, bidirectional and variation characters."""

_MAY_HIDE = re.compile(
    r"\\u(?:007f|00[89][0-9a-f]|00ad|034f|061c|115f|1160|17b[45]|180[b-f]|200[b-f]|202[a-e]|206[0-9a-f]|3164|fe0[0-9a-f]"
    r"|feff|ffa0|fff[9ab]|db4[0-3])"
)
"""The same in JSON that is written in ASCII. It also meets texts that quote such an escape, and misses nothing."""

_CONTROL_WORD = re.compile(r"\[(?=/?[A-Z][A-Z_]+\])")
_MAY_BE_CONTROL = ("INST]", "TOOLS]", "RESULTS]", "PROMPT]", "CALLS]")
"""Control tokens in square brackets, such as [INST] or [TOOL_CALLS]. Where JSON has a bracket outside a string, no such
letters follow. The endings of those we know of are looked for first, which takes a tenth of the time."""

_quick = msgspec.json.Encoder().encode_lines
_in_ascii = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode
_as_it_is = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
"""Made once, since making one costs as much as writing a short record; what was read from JSON has no circles."""
UNSHOWABLE = "[not shown: nested too deeply]"


class Line(msgspec.Struct, frozen=True):
    """One line of the block."""

    text: str
    hidden: int
    """How many hidden characters were taken out."""


class Block(msgspec.Struct, frozen=True):
    """The fenced conversation."""

    text: str
    nonce: str


def fence(conversations: Sequence[Sequence[Line]], new_nonce: Callable[[], str]) -> list[Block]:
    """Put each conversation's lines between tags with a nonce of its own that stands in none of the lines.

    Several nonces are one that was drawn, each with its number before it: to look for what they have in common takes a
    tenth of the time of looking for each.

    Args:
        conversations: lines made by `header_line`, `turn_line` and `record_line`.
        new_nonce: draws a fresh nonce of letters and digits at each call.
    """
    bodies = ["\n".join([line.text for line in lines]) for lines in conversations]
    everything = "\n".join(bodies)
    drawn = new_nonce()
    while drawn in everything:
        drawn = new_nonce()
    nonces = [drawn] if len(bodies) == 1 else [f"{number:02x}{drawn}" for number in range(1, len(bodies) + 1)]
    return [
        Block(f"<conversation-{nonce}>\n{body}\n</conversation-{nonce}>", nonce)
        for nonce, body in zip(nonces, bodies, strict=True)
    ]


def whole_lines(conversation: Conversation) -> tuple[Line, ...]:
    """Write the header and every turn, uncut; all at once, which is faster than one after the other."""
    records = [_header(conversation), *map(_turn, conversation.turns)]
    text = _written_quickly(records)
    if text is None:
        return tuple(map(_line_with_care, records))
    return tuple([Line(line, 0) for line in _without_tags(text).split("\n")])


def header_line(conversation: Conversation, *, characters: int | None = None) -> Line:
    """Write the agent's instructions and tools; with `characters`, each is cut to that many."""
    record = _header(conversation)
    if characters is not None:
        record["agent_instructions"] = cut(record["agent_instructions"], characters)
        listed = _dump(record["agent_tools"])
        if len(listed) > characters:
            record["agent_tools"] = cut(listed, characters)
    return _line(record)


def _header(conversation: Conversation) -> dict[str, Any]:
    tools = [{"name": tool.name, "description": tool.description} for tool in conversation.tools]
    return {"agent_instructions": conversation.system_prompt or "", "agent_tools": tools}


def turn_line(turn: Turn, *, characters: int | None = None) -> Line:
    """Write one turn; with `characters`, its text and its tool calls are each cut to that many."""
    record = _turn(turn)
    if characters is not None:
        record["content"] = cut(turn.content, characters)
        if turn.tool_calls:
            record["tool_calls"] = cut(_dump(record["tool_calls"]), characters)
    return _line(record)


def _turn(turn: Turn) -> dict[str, Any]:
    record: dict[str, Any] = {"turn_id": turn.turn_id, "role": turn.role, "content": turn.content}
    if turn.tool_calls:
        record["tool_calls"] = [tool_call_record(call) for call in turn.tool_calls]
    return record


def record_line(record: dict[str, Any]) -> Line:
    """Write something about the conversation that is none of its turns."""
    return _line(record)


def tool_call_record(call: ToolCall) -> dict[str, Any]:
    """Give what a judge may see of a tool call."""
    record: dict[str, Any] = {"tool_name": call.tool_name, "parameters": call.parameters}
    if call.malformed_arguments is not None:
        record["malformed_arguments"] = call.malformed_arguments
    if call.result is not None:
        record["result"] = call.result.value
        if call.result.error is not None:
            record["error"] = call.result.error
    return record


def cut(text: str, characters: int) -> str:
    """Keep the beginning and the end of a text that is longer than so many characters, and say what is gone."""
    gone = len(text) - characters
    if gone <= 0:
        return text
    head = characters // 2
    return f"{text[:head]} [... {gone} characters left out ...] {text[len(text) - (characters - head) :]}"


def plain_json(value: Any) -> str:
    """Write a value as JSON text, or a remark when it is nested too deeply for that."""
    return _dump(value)


def _line(record: dict[str, Any]) -> Line:
    text = _written_quickly([record])
    return _line_with_care(record) if text is None else Line(_without_tags(text), 0)


def _written_quickly(records: Sequence[dict[str, Any]]) -> str | None:
    """Write each record on a line of its own in a fraction of the time of writing it with care.

    None if one may hold hidden characters, or what cannot be written so.
    """
    try:
        text = _quick(records)[:-1].decode()
    except (RecursionError, UnicodeEncodeError):
        return None
    if "\x7f" in text:
        return None
    if text.isascii():
        return text
    text = text.encode("ascii", _JSON_ESCAPES).decode("ascii")
    return None if _MAY_HIDE.search(text) else text


def _line_with_care(record: dict[str, Any]) -> Line:
    try:
        text = _in_ascii(record)
    except RecursionError:
        record = {**record, "tool_calls": UNSHOWABLE}
        text = _in_ascii(record)
    hidden = 0
    if _MAY_HIDE.search(text) is not None:
        # Characters outside ASCII stand inside strings only, so taking them out or escaping them keeps the JSON valid.
        visible, hidden = HIDDEN.subn("", _as_it_is(record))
        text = visible.encode("ascii", _JSON_ESCAPES).decode("ascii") if hidden else text
    return Line(_without_tags(text), hidden)


def _escape_all(error: UnicodeError) -> tuple[str, int]:
    """Write the characters that ASCII lacks as JSON does in ASCII: what the codec asks for."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(_escape, error.object[error.start : error.end])), error.end


@lru_cache(maxsize=4096)
def _escape(character: str) -> str:
    return _in_ascii(character)[1:-1]


_JSON_ESCAPES = "healing-eval-json-escapes"
codecs.register_error(_JSON_ESCAPES, _escape_all)


def _without_tags(text: str) -> str:
    """Write what tags and control tokens begin with as escapes; both stand inside strings only."""
    if "<" in text:
        text = text.replace("<", "\\u003c")
    for ending in _MAY_BE_CONTROL:
        if ending in text:
            return _CONTROL_WORD.sub(r"\\u005b", text)
    return text


def _dump(value: Any) -> str:
    try:
        return _as_it_is(value)
    except RecursionError:
        return _as_it_is(UNSHOWABLE)
