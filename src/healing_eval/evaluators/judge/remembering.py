"""What of an answer can be used again, for this conversation or its like?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b

import msgspec

from healing_eval.evaluators.judge.naming import core_of
from healing_eval.evaluators.judge.reading import Answer, Claim, Criterion, Quote
from healing_eval.evaluators.judge.sameness import Form, mark_of_turn, with_names, without_names


class Remembered(msgspec.Struct, frozen=True):
    """An answer that was believed, without the names of the conversation it was given for."""

    answer: Answer
    model: str
    """That gave it, as the provider names it."""
    provider: str | None = None
    deployment: str | None = None
    confidence: float | None = None


_decoder = msgspec.msgpack.Decoder(Remembered)


def key_of(project: str, asked_as: bytes, form: Form, left_out: str) -> bytes:
    """Make the key under which an answer is remembered.

    Args:
        project: never shares with another.
        asked_as: digest of all else that the answer depends on: rubric, model, parameters, schema.
        form: of everything that is shown of the conversation.
        left_out: what is not shown: a part is not the whole of another that looks like it.
    """
    digest = blake2b(asked_as, digest_size=24)
    for part in (project, form.text, left_out):
        encoded = part.encode("utf-8", "replace")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.digest()


def pack(remembered: Remembered, form: Form) -> bytes | None:
    """Write down an answer that was given for a conversation of this form.

    None if it speaks of a name in another way than the conversation does: that would be told of others as well.
    """
    places = {name: mark_of_turn(place) for place, name in enumerate(form.turns)}
    text = without_names(form)
    answer = _renamed(remembered.answer, text, lambda name: places.get(name) or text(name))
    said = "\n".join(_texts(answer)).lower()
    if any(core_of(name) in said for name in form.names):
        return None
    return msgspec.msgpack.encode(msgspec.structs.replace(remembered, answer=answer))


def unpack(value: bytes, form: Form) -> Remembered | None:
    """Read what was written down, as if it had been given for a conversation of this form; None if it is nothing."""
    try:
        remembered = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    names = {mark_of_turn(place): name for place, name in enumerate(form.turns)}
    text = with_names(form)
    answer = _renamed(remembered.answer, text, lambda name: names.get(name) or text(name))
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


def _texts(answer: Answer) -> Iterator[str]:
    for criterion in answer.criteria:
        yield criterion.reason
        yield from (quote.text for quote in criterion.evidence)
    for claim in answer.issues:
        yield from (claim.description, claim.quote.text)
