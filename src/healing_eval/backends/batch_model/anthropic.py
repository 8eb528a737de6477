"""How is Anthropic asked in batches? The requests go up in one document, and answers come down line by line.

It keeps no label of a batch, and names the questions of one only in its answers. So a batch of which nothing was heard
is looked for among those that are as large and as old, and found once it has ended.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

import msgspec

from healing_eval.backends.batch_model.over_http import HAND_IN_SECONDS, PAGES, BatchCalls, checked_id, read, result_of
from healing_eval.backends.chat_model.anthropic import DEFAULT_BASE_URL, AnthropicChat
from healing_eval.backends.chat_model.over_http import without_key
from healing_eval.errors import ModelError, ModelRefused, ModelUnavailable, NotAdmitted
from healing_eval.ports.batch_model import BatchAnswer, BatchQuestion, BatchState, Sought, Trace
from healing_eval.ports.chat_model import ChatAnswer

CLOCKS_DIFFER = timedelta(hours=1)
"""By how much the store's clock may be ahead of theirs when a batch is looked for by its age."""
NOT_FOUND = 404
_ENDED = "ended"

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


class _Counts(msgspec.Struct, frozen=True):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0


class _Batch(msgspec.Struct):
    id: str
    processing_status: str = ""
    request_counts: _Counts = _Counts()
    created_at: str = ""


class _Page(msgspec.Struct):
    data: list[_Batch]
    has_more: bool = False


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
_page = msgspec.json.Decoder(_Page)
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

    async def find(self, sought: Sought) -> Trace:
        if not sought.names:
            return Trace()
        may_turn_up = False
        try:
            async for one in self._as_large_and_as_old(sought):
                if one.processing_status != _ENDED:
                    may_turn_up = True
                elif await self._answers_any(checked_id(one.id), sought.names):
                    return Trace(one.id)
        except ModelRefused as error:  # who else speaks this language may have no list
            _raise_unless_missing(error)
        return Trace(may_turn_up=may_turn_up)

    async def state(self, batch_id: str) -> BatchState:
        batch = read(_batch, await self._calls.get(f"/{checked_id(batch_id)}"), "batch")
        return BatchState(batch.processing_status == _ENDED)

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

    async def _as_large_and_as_old(self, sought: Sought) -> AsyncGenerator[_Batch]:
        """Give the batches that may be the one that is looked for, by what can be seen of all."""
        since = sought.made_at - CLOCKS_DIFFER
        after = ""
        for _ in range(PAGES):
            page = read(_page, await self._calls.get(f"?limit=100{after}"), "list of batches")
            for one in page.data:
                if (created_at := _moment(one.created_at)) is not None and created_at < since:
                    return  # the newest come first
                size = sum(msgspec.structs.astuple(one.request_counts))
                if one.id not in sought.others and len(sought.names) <= size <= sought.questions:
                    yield one
            if not page.data or not page.has_more:
                return
            after = f"&after_id={checked_id(page.data[-1].id)}"

    async def _answers_any(self, batch_id: str, names: Collection[str]) -> bool:
        """Tell whether a batch that has ended answers one of these questions."""
        try:
            async with aclosing(self.answers(batch_id)) as answers:
                async for one in answers:
                    if one.name in names:
                        return True
        except ModelRefused as error:  # its answers are gone, and with them what they cost
            _raise_unless_missing(error)
        return False

    def _result(self, result: _Result) -> ChatAnswer | ModelError:
        if result.type == "succeeded":
            return result_of(self._chat, 200, bytes(result.message))
        if result.type == "errored":
            error = (result.error.error if result.error else None) or _Error()
            body: Any = {"error": {"message": error.message}}
            return result_of(self._chat, _STATUS_OF_ERROR.get(error.type, 500), msgspec.json.encode(body))
        return ModelUnavailable(f"not answered in its batch: {without_key(self._chat.endpoint, result.type)}")


def _moment(written: str) -> datetime | None:
    """Read a time; None if it is none."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _raise_unless_missing(error: ModelRefused) -> None:
    """Pass over what is not there; that our key is not taken, say, is passed on."""
    if isinstance(error, NotAdmitted) and error.status != NOT_FOUND:
        raise error
