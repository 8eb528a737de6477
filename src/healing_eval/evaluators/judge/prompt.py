"""What is the model asked, and in which shape must it answer?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from healing_eval.domain.issue_types import SEVERITIES
from healing_eval.evaluators.judge.fence import fence
from healing_eval.evaluators.judge.rubric import BEST_SCORE, JUDGE_ISSUE_TYPES, Rubric
from healing_eval.evaluators.judge.window import Window
from healing_eval.ports.chat_model import ChatMessage


class Prompt(msgspec.Struct, frozen=True):
    """One question."""

    messages: tuple[ChatMessage, ...]
    nonce: str
    """What the answer must repeat."""


def write_prompt(rubric: Rubric, window: Window, new_nonce: Callable[[], str], problem: str = "") -> Prompt:
    """Write the question.

    The rubric stands first and never changes, so that providers can cache it; the conversation stands last.

    Args:
        rubric: what to grade by.
        window: what is shown of the conversation.
        new_nonce: draws a fresh nonce.
        problem: why the previous answer could not be used, in our own words; "" at the first asking.
    """
    block = fence(window.lines, new_nonce)
    said = [f"The nonce of this request is {block.nonce}."]
    if window.left_out:
        said.append(f"Not everything is shown: {window.left_out}.")
    if problem:
        said.append(f"A previous answer could not be used: {problem}. Answer anew, in the agreed shape.")
    said.append("The conversation to judge, as data:")
    after = f"End of the data. Judge it by the rubric and answer with one JSON object whose nonce is {block.nonce}."
    user = "\n".join(said) + f"\n\n{block.text}\n\n{after}"
    return Prompt((ChatMessage("system", rubric.text), ChatMessage("user", user)), block.nonce)


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
        type={"type": "string", "enum": list(JUDGE_ISSUE_TYPES)},
        severity={"type": "string", "enum": list(SEVERITIES)},
        turn_id=text_or_null,
        quote=text_or_null,
        description=text,
    )
    return _object(nonce=text, criteria=_array(criterion), issues=_array(found))


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}
