"""How likely did the model hold each token of its answer to be? The list that OpenAI's and Ollama's languages share.

Read without trust: what cannot be believed as a whole is not given, and an answer is never lost for it.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar, cast

import msgspec

from healing_eval.ports.chat_model import TokenLogprob

TOP_LOGPROBS = 5
"""How many alternatives are asked for; every server that gives any gives so many."""
MAX_TOKENS = 4096
MAX_ALTERNATIVES = 20
LEAST_LOGPROB = -9999.0
"""What servers write for next to nothing, since JSON has no infinity."""
ROUNDING = 1e-3
"""How far above certainty a number may be for having been rounded."""

T = TypeVar("T")
Pair = tuple[str, float]


class _Alternative(msgspec.Struct, gc=False):
    token: str
    logprob: float


class _Entry(msgspec.Struct, gc=False):
    token: str
    logprob: float
    top_logprobs: list[_Alternative] | None = None


_sound = msgspec.json.Decoder(list[_Entry])


def read_logprobs(listed: msgspec.Raw) -> tuple[TokenLogprob, ...] | None:
    """Read the first 4,096 tokens of a list.

    Args:
        listed: `[{"token": …, "logprob": …, "top_logprobs": [{"token": …, "logprob": …}, …]}, …]`, or anything else.

    Returns:
        The tokens; None if it is no such list, is empty, or a token lacks text or likelihood: a hole in the middle
        would put all that follows in the wrong place.
    """
    try:
        try:
            entries = _sound.decode(listed)
        except msgspec.ValidationError:
            entries = _mended(msgspec.json.decode(listed))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not entries or any(one.logprob > ROUNDING for one in entries[:MAX_TOKENS]):
        return None
    return tuple([TokenLogprob(one.token, _bounded(one.logprob), _alternatives(one)) for one in entries[:MAX_TOKENS]])


def decode_with_nan(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode an answer in which NaN or Infinity may stand for a likelihood, though neither is JSON; they become null.

    Raises:
        DecodeError: it is no such answer all the same.
        UnicodeDecodeError: it is no UTF-8.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        try:
            mended = msgspec.json.encode(json.loads(body, parse_constant=lambda _: None))
        except (ValueError, RecursionError, OverflowError):
            mended = None
        if mended is None:
            raise
        return decoder.decode(mended)


def _alternatives(entry: _Entry) -> tuple[Pair, ...]:
    given = (entry.top_logprobs or ())[:MAX_ALTERNATIVES]
    return tuple([(one.token, _bounded(one.logprob)) for one in given if one.logprob <= ROUNDING])


def _bounded(logprob: float) -> float:
    return logprob if LEAST_LOGPROB <= logprob <= 0 else min(max(logprob, LEAST_LOGPROB), 0.0)


def _mended(listed: Any) -> list[_Entry]:
    """Read a list in which something is not as agreed; empty if it cannot be used without that."""
    entries: list[_Entry] = []
    for item in cast("list[Any]", listed)[:MAX_TOKENS] if isinstance(listed, list) else ():
        pair = _pair(item)
        if pair is None:
            return []
        top = cast("dict[str, Any]", item).get("top_logprobs")
        pairs = [_pair(one) for one in cast("list[Any]", top)[:MAX_ALTERNATIVES]] if isinstance(top, list) else []
        entries.append(_Entry(*pair, [_Alternative(*one) for one in pairs if one is not None]))
    return entries


def _pair(item: Any) -> Pair | None:
    """Give text and likelihood of one entry; None if it lacks either."""
    if not isinstance(item, dict):
        return None
    fields = cast("dict[str, Any]", item)
    token, logprob = fields.get("token"), fields.get("logprob")
    if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    return token, float(logprob)
