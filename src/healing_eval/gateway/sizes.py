"""How many tokens will a call take? Estimated before, and learned from what answers say they took."""

from __future__ import annotations

from healing_eval.ports.chat_model import ChatAnswer, ChatRequest

FIRST_CHARACTERS_PER_TOKEN = 4.0
"""Of English prose, by the providers' own rule of thumb."""
_WEIGHT = 1 / 16
"""Of each answer in the running means."""


class Sizes:
    """What calls to one model take, as a running mean."""

    def __init__(self) -> None:
        self._characters_per_token = FIRST_CHARACTERS_PER_TOKEN
        self._output_tokens: float | None = None

    def expect(self, request: ChatRequest) -> int:
        """Say how many tokens prompt and answer will take together; the first answer is taken to be the longest."""
        output = request.max_output_tokens if self._output_tokens is None else self._output_tokens
        return round(_characters(request) / self._characters_per_token + output)

    def learn(self, request: ChatRequest, answer: ChatAnswer) -> int | None:
        """Take note of what it took, and give that; None if the answer does not say."""
        if answer.input_tokens is None or answer.output_tokens is None:
            return None
        if answer.input_tokens:
            seen = _characters(request) / answer.input_tokens
            self._characters_per_token = max(0.1, _towards(seen, self._characters_per_token))
        self._output_tokens = _towards(answer.output_tokens, self._output_tokens)
        return answer.input_tokens + answer.output_tokens


def _characters(request: ChatRequest) -> int:
    return sum(len(message.content) for message in request.messages)


def _towards(seen: float, mean: float | None) -> float:
    return seen if mean is None else mean + _WEIGHT * (seen - mean)
