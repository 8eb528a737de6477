"""How is Anthropic asked in batches? The requests go up in one document, and answers come down line by line."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, ClassVar, Self

import msgspec

from healing_eval.backends.batch_model.over_http import HAND_IN_SECONDS, BatchCalls, checked_id, read, result_of
from healing_eval.backends.chat_model.anthropic import DEFAULT_BASE_URL, AnthropicChat
from healing_eval.backends.chat_model.over_http import without_key
from healing_eval.errors import ModelError, ModelUnavailable
from healing_eval.ports.batch_model import BatchAnswer, BatchQuestion, BatchState
from healing_eval.ports.chat_model import ChatAnswer

_STATUS_OF_ERROR = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}
"""With which status Anthropic gives an error where a question is asked by itself; any other is 500."""


class _Batch(msgspec.Struct):
    id: str
    processing_status: str = ""


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""


class _Errored(msgspec.Struct):
    error: _Error | None = None


class _Result(msgspec.Struct):
    type: str
    message: msgspec.Raw = msgspec.Raw()
    error: _Errored | None = None


class _Line(msgspec.Struct):
    custom_id: str
    result: _Result


_batch = msgspec.json.Decoder(_Batch)
_line = msgspec.json.Decoder(_Line)


class AnthropicBatches:
    """A model behind `POST {base}/v1/messages/batches`."""

    address_variable: ClassVar[str | None] = AnthropicChat.address_variable
    key_variable: ClassVar[str | None] = AnthropicChat.key_variable
    own_address: ClassVar[str] = DEFAULT_BASE_URL
    most_questions = 100_000
    most_bytes = 256_000_000

    def __init__(self, chat: AnthropicChat) -> None:
        self.name = chat.name
        self.base_url = chat.base_url
        self._chat = chat
        self._calls = BatchCalls(chat.endpoint, f"{chat.endpoint.url}/batches")

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        return cls(AnthropicChat.create(model, environment))

    async def submit(self, label: str, questions: Sequence[BatchQuestion]) -> str:
        requests = [{"custom_id": one.name, "params": self._chat.written(one.request)} for one in questions]
        body = await self._calls.post("", {"requests": requests}, seconds=HAND_IN_SECONDS)
        return checked_id(read(_batch, body, "batch").id)

    async def find(self, label: str) -> str | None:
        """There are no labels."""
        return None

    async def state(self, batch_id: str) -> BatchState:
        batch = read(_batch, await self._calls.get(f"/{checked_id(batch_id)}"), "batch")
        return BatchState(batch.processing_status == "ended")

    async def answers(self, batch_id: str) -> AsyncGenerator[BatchAnswer]:
        # The batch names an address for this as well; our key goes to none but the one that was configured.
        async for written in self._calls.lines(f"/{checked_id(batch_id)}/results"):
            try:
                line = _line.decode(written)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            yield BatchAnswer(line.custom_id, self._result(line.result))

    async def cancel(self, batch_id: str) -> None:
        await self._calls.post(f"/{checked_id(batch_id)}/cancel")

    async def discard(self, batch_id: str) -> None:
        await self._calls.delete(f"/{checked_id(batch_id)}")

    async def close(self) -> None:
        await self._calls.close()
        await self._chat.close()

    def _result(self, result: _Result) -> ChatAnswer | ModelError:
        if result.type == "succeeded":
            return result_of(self._chat, 200, bytes(result.message))
        if result.type == "errored":
            error = (result.error.error if result.error else None) or _Error()
            body: Any = {"error": {"message": error.message}}
            return result_of(self._chat, _STATUS_OF_ERROR.get(error.type, 500), msgspec.json.encode(body))
        return ModelUnavailable(f"not answered in its batch: {without_key(self._chat.endpoint, result.type)}")
