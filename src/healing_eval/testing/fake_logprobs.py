"""How likely does a fake model hold each token of its answer to be? As sure of a grade as we say, sure of all else."""

from __future__ import annotations

import math
import re
from typing import Any

SURE = 0.7
"""Probability of the digit said; two thirds of the rest lie on the one above, else below, and a third on the next."""
_TOKEN = re.compile(r"\d|[^\W\d]+|\s|[^\w\s]")


def listed(text: str, mode: str, top: int) -> list[dict[str, Any]]:
    """List all tokens of an answer with their `top` alternatives, as OpenAI and Ollama write them."""
    entries = [_entry(token, top) for token in _TOKEN.findall(text)]
    if mode == "odd_logprobs" and entries:
        entries[-1]["logprob"] = math.nan  # which is no JSON, and yet is sent
    return entries


def _entry(token: str, top: int) -> dict[str, Any]:
    probabilities = _of_digits(int(token)) if token.isdecimal() and token.isascii() else {token: 1.0}
    rows = [_row(one, probability) for one, probability in probabilities.items()]
    return rows[0] | {"top_logprobs": rows[:top]}


def _of_digits(said: int) -> dict[str, float]:
    likeliest = sorted(range(6), key=lambda digit: (abs(digit - said), -digit))
    rest = 1 - SURE
    others = [str(digit) for digit in likeliest if digit != said]
    return {str(said): SURE, others[0]: rest * 2 / 3, others[1]: rest / 3}


def _row(token: str, probability: float) -> dict[str, Any]:
    return {"token": token, "logprob": math.log(probability), "bytes": list(token.encode())}
