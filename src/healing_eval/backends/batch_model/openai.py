"""How is OpenAI asked in batches? A file of requests goes up, and files of answers come down."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Self

import msgspec

from healing_eval.backends.batch_model.over_http import PAGES, BatchCalls, checked_id, read, result_of
from healing_eval.backends.chat_model.openai import DEFAULT_BASE_URL, OpenAIChat
from healing_eval.backends.chat_model.over_http import without_key
from healing_eval.errors import ModelError, ModelUnavailable
from healing_eval.ports.batch_model import BatchAnswer, BatchQuestion, BatchState, Sought, Trace
from healing_eval.ports.chat_model import ChatAnswer

WITHIN = "24h"
"""The only time that can be asked for."""
LABEL = "healing_eval_batch"
"""Name of our label among a batch's metadata."""
PATH = "/v1/chat/completions"
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_TOO_MUCH = "token_limit_exceeded"


class _File(msgspec.Struct):
    id: str


class _Error(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Errors(msgspec.Struct):
    data: list[_Error] | None = None


class _Batch(msgspec.Struct):
    id: str
    status: str = ""
    errors: _Errors | None = None
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    metadata: dict[str, Any] | None = None


class _Page(msgspec.Struct):
    data: list[_Batch]
    has_more: bool = False


class _Response(msgspec.Struct):
    status_code: int
    body: msgspec.Raw = msgspec.Raw()


class _Line(msgspec.Struct):
    custom_id: str
    response: _Response | None = None
    error: _Error | None = None


_file = msgspec.json.Decoder(_File)
_batch = msgspec.json.Decoder(_Batch)
_page = msgspec.json.Decoder(_Page)
_line = msgspec.json.Decoder(_Line)


class OpenAIBatches:
    """A model behind `POST {base}/batches`."""

    address_variable: ClassVar[str | None] = OpenAIChat.address_variable
    key_variable: ClassVar[str | None] = OpenAIChat.key_variable
    own_address: ClassVar[str] = DEFAULT_BASE_URL
    most_questions = 50_000
    most_bytes = 200_000_000

    def __init__(self, chat: OpenAIChat) -> None:
        self.name = chat.name
        self.base_url = chat.base_url
        self._chat = chat
        self._calls = BatchCalls(chat.endpoint, chat.endpoint.url.removesuffix("/chat/completions"))

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        return cls(OpenAIChat.create(model, environment))

    async def submit(self, label: str, questions: Sequence[BatchQuestion]) -> str:
        content = b"\n".join(self._written(one) for one in questions)
        uploaded = await self._calls.upload("/files", {"purpose": "batch"}, f"{label}.jsonl", content)
        file_id = checked_id(read(_file, uploaded, "file").id)
        made = {"input_file_id": file_id, "endpoint": PATH, "completion_window": WITHIN, "metadata": {LABEL: label}}
        try:
            return checked_id(read(_batch, await self._calls.post("/batches", made), "batch").id)
        except ModelError as error:
            if not isinstance(error, ModelUnavailable):  # then it may have been taken, and is looked for
                await self._delete_file(file_id)
            raise

    async def find(self, sought: Sought) -> Trace:
        after = ""
        for _ in range(PAGES):
            page = read(_page, await self._calls.get(f"/batches?limit=100{after}"), "list of batches")
            for one in page.data:
                if one.metadata and one.metadata.get(LABEL) == sought.label:
                    return Trace(checked_id(one.id))
            if not page.data or not page.has_more:
                break
            after = f"&after={checked_id(page.data[-1].id)}"
        return Trace()

    async def state(self, batch_id: str) -> BatchState:
        batch = await self._look_at(batch_id)
        errors = (batch.errors.data if batch.errors else None) or []
        reason = None
        if batch.status == "failed":
            said = "; ".join(one.message or one.code or "" for one in errors) or "the provider does not say why"
            reason = without_key(self._chat.endpoint, said)
        return BatchState(batch.status in _ENDED, reason, any(one.code == _TOO_MUCH for one in errors))

    async def answers(self, batch_id: str) -> AsyncGenerator[BatchAnswer]:
        batch = await self._look_at(batch_id)
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            async for written in self._calls.lines(f"/files/{checked_id(file_id)}/content"):
                try:
                    line = _line.decode(written)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue
                yield BatchAnswer(line.custom_id, self._result(line))

    async def cancel(self, batch_id: str) -> None:
        await self._calls.post(f"/batches/{checked_id(batch_id)}/cancel")

    async def discard(self, batch_id: str) -> None:
        """Delete its files; the batch itself, which holds no text, stays in OpenAI's list."""
        batch = await self._look_at(batch_id)
        for file_id in filter(None, (batch.input_file_id, batch.output_file_id, batch.error_file_id)):
            await self._delete_file(checked_id(file_id))

    async def close(self) -> None:
        await self._calls.close()
        await self._chat.close()

    async def _look_at(self, batch_id: str) -> _Batch:
        return read(_batch, await self._calls.get(f"/batches/{checked_id(batch_id)}"), "batch")

    async def _delete_file(self, file_id: str) -> None:
        with suppress(ModelError):  # whatever is left there is theirs to let go of
            await self._calls.delete(f"/files/{file_id}")

    def _written(self, question: BatchQuestion) -> bytes:
        body = self._chat.written(question.request)
        return msgspec.json.encode({"custom_id": question.name, "method": "POST", "url": PATH, "body": body})

    def _result(self, line: _Line) -> ChatAnswer | ModelError:
        if line.response is not None:
            return result_of(self._chat, line.response.status_code, bytes(line.response.body))
        error = line.error or _Error()
        said = without_key(self._chat.endpoint, error.message or error.code or "the provider does not say why")
        return ModelUnavailable(f"not answered in its batch: {said}")
