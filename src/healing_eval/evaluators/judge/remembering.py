"""What of an answer can be used again, for this conversation or its like?"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from healing_eval.evaluators.judge.reading import Answer, Claim, Criterion, Quote
from healing_eval.evaluators.judge.sameness import Form, with_names, without_names


class Remembered(msgspec.Struct, frozen=True):
    """An answer that was believed, without the names of the conversation it was given for."""

    answer: Answer
    model: str
    """That gave it, as the provider names it."""
    provider: str | None = None
    deployment: str | None = None
    confidence: float | None = None


_decoder = msgspec.msgpack.Decoder(Remembered)


def key_of(project: str, asked_as: bytes, form: Form) -> bytes:
    """Make the key under which an answer is remembered.

    Args:
        project: never shares with another.
        asked_as: digest of all else that the answer depends on: rubric, model, parameters, schema.
        form: of everything that is shown of the conversation.
    """
    digest = blake2b(asked_as, digest_size=24)
    for part in (project, form.text):
        encoded = part.encode("utf-8", "replace")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.digest()


def pack(remembered: Remembered, form: Form) -> bytes:
    """Write down an answer that was given for a conversation of this form."""
    places = {name: f"#{place}" for place, name in enumerate(form.turns)}
    answer = _renamed(remembered.answer, without_names(form), lambda name: places.get(name, name))
    return msgspec.msgpack.encode(msgspec.structs.replace(remembered, answer=answer))


def unpack(value: bytes, form: Form) -> Remembered | None:
    """Read what was written down, as if it had been given for a conversation of this form; None if it is nothing."""
    try:
        remembered = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    names = {f"#{place}": name for place, name in enumerate(form.turns)}
    answer = _renamed(remembered.answer, with_names(form), lambda name: names.get(name, name))
    return msgspec.structs.replace(remembered, answer=answer)


def _renamed(answer: Answer, text: Callable[[str], str], turn: Callable[[str], str]) -> Answer:
    def quote(one: Quote) -> Quote:
        return Quote(None if one.turn_id is None else turn(one.turn_id), text(one.text))

    return Answer(
        tuple(
            Criterion(one.name, one.score, tuple(map(quote, one.evidence)), text(one.reason)) for one in answer.criteria
        ),
        tuple(Claim(one.type, one.severity, quote(one.quote), text(one.description)) for one in answer.issues),
    )
