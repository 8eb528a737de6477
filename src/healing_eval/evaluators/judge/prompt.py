"""What is the model asked, and in which shape must it answer?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from healing_eval.domain.issue_types import SEVERITIES
from healing_eval.evaluators.judge.fence import Line, fence
from healing_eval.evaluators.judge.rubric import BEST_SCORE, Rubric
from healing_eval.evaluators.judge.window import Window
from healing_eval.ports.chat_model import ChatMessage


class Shown(msgspec.Struct, frozen=True):
    """What the model sees of one conversation."""

    window: Window
    facts: Line | None = None
    """What deterministic checks found; None if it is not told."""
    fits_among_others: bool = False
    """Whether it is short enough for a prompt about several conversations."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines of its block."""
        lines = self.window.lines
        return lines if self.facts is None else (lines[0], self.facts, *lines[1:])


class Prompt(msgspec.Struct, frozen=True):
    """One question."""

    messages: tuple[ChatMessage, ...]
    nonces: tuple[str, ...]
    """What the answer must repeat: one of each conversation."""


def write_prompt(rubric: Rubric, shown: Shown, new_nonce: Callable[[], str], problem: str = "") -> Prompt:
    """Write the question about one conversation.

    The rubric stands first and never changes, so that providers can cache it; the conversation stands last.

    Args:
        rubric: what to grade by.
        shown: what is shown of the conversation.
        new_nonce: draws a fresh nonce.
        problem: why the previous answer could not be used, in our own words; "" at the first asking.
    """
    [block] = fence([shown.lines], new_nonce)
    said = [f"The nonce of this request is {block.nonce}.", *_left_out(shown)]
    if problem:
        said.append(f"A previous answer could not be used: {problem}. Answer anew, in the agreed shape.")
    said.append("The conversation to judge, as data:")
    after = f"End of the data. Judge it by the rubric and answer with one JSON object whose nonce is {block.nonce}."
    user = "\n".join(said) + f"\n\n{block.text}\n\n{after}"
    return Prompt((ChatMessage("system", rubric.text), ChatMessage("user", user)), (block.nonce,))


def write_prompt_for_several(rubric: Rubric, shown: Sequence[Shown], new_nonce: Callable[[], str]) -> Prompt:
    """Write one question about several conversations, each in a block of its own."""
    blocks = fence([one.lines for one in shown], new_nonce)
    parts = [f"{len(blocks)} conversations to judge, as data:"]
    for number, (one, block) in enumerate(zip(shown, blocks, strict=True), 1):
        said = [f"Conversation {number}, whose nonce is {block.nonce}:", *_left_out(one)]
        parts.append("\n".join(said) + f"\n\n{block.text}")
    nonces = ", ".join(block.nonce for block in blocks)
    parts.append(
        f"End of the data. Judge each conversation by the rubric and answer with one JSON object with {len(blocks)} "
        f"answers, whose nonces are {nonces}."
    )
    messages = ChatMessage("system", rubric.several), ChatMessage("user", "\n\n".join(parts))
    return Prompt(messages, tuple(block.nonce for block in blocks))


def _left_out(shown: Shown) -> list[str]:
    return [f"Not everything is shown: {shown.window.left_out}."] if shown.window.left_out else []


def answer_schema(rubric: Rubric) -> dict[str, Any]:
    """Give the JSON Schema of an answer; every field is required, as strict modes demand."""
    text: dict[str, Any] = {"type": "string"}
    text_or_null: dict[str, Any] = {"type": ["string", "null"]}
    criterion = _object(
        name={"type": "string", "enum": list(rubric.criteria)},
        evidence=_array(_object(turn_id=text, quote=text)),
        reason=text,
        score={"type": "integer", "enum": list(range(BEST_SCORE + 1))},
    )
    found = _object(
        type={"type": "string", "enum": list(rubric.issue_types)},
        severity={"type": "string", "enum": list(SEVERITIES)},
        turn_id=text_or_null,
        quote=text_or_null,
        description=text,
    )
    return _object(nonce=text, criteria=_array(criterion), issues=_array(found))


def answers_schema(rubric: Rubric) -> dict[str, Any]:
    """Give the JSON Schema of an answer about several conversations."""
    return _object(answers=_array(answer_schema(rubric)))


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}
