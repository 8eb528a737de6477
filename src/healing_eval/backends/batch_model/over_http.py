"""How is a server that takes batches called over HTTP, whatever it speaks?"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import msgspec

from healing_eval.backends.chat_model.over_http import (
    FORM_STATUS,
    MAX_ANSWER_BYTES,
    MAX_MESSAGE,
    RETRIED_STATUS,
    Endpoint,
    HttpChat,
    bounded_body,
    complaint,
    refusal,
    retry_after,
)
from healing_eval.errors import ModelError, ModelUnavailable, NotAdmitted, UnreadableVerdict
from healing_eval.ports.chat_model import ChatAnswer

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
"""How long a server may take to say anything, or anything more."""
HAND_IN_SECONDS = 600.0
"""How long a batch may take to be handed in: tens of megabytes go up, and are looked through there."""
MAX_ANSWERS_BYTES = 2 * 1024**3
"""More than any batch of ours is answered with; what is longer is not read to its end."""
PAGES = 10
"""Of a hundred batches each; how far back is looked for one."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")

T = TypeVar("T")


class BatchCalls:
    """Calls below one address, with the headers of a chat model's endpoint."""

    def __init__(self, endpoint: Endpoint, address: str) -> None:
        self.endpoint = endpoint
        self._address = address
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str) -> bytes:
        """Read what stands at a path.

        Raises:
            ModelError: as `BatchModel.submit`.
        """
        async with self._call("GET", path) as response:
            return await bounded_body(response)

    async def delete(self, path: str) -> None:
        """Delete what stands at a path.

        Raises:
            ModelError: as `BatchModel.submit`.
        """
        async with self._call("DELETE", path):
            pass

    async def post(self, path: str, document: Any = None, *, seconds: float = ANSWER_SECONDS) -> bytes:
        """Post a JSON document, or nothing.

        Raises:
            ModelError: as `BatchModel.submit`.
        """
        body: dict[str, Any] = {}
        if document is not None:
            body = {"data": msgspec.json.encode(document), "headers": {"Content-Type": "application/json"}}
        async with self._call("POST", path, seconds=seconds, **body) as response:
            return await bounded_body(response)

    async def upload(self, path: str, fields: Mapping[str, str], file_name: str, content: bytes) -> bytes:
        """Post a form with a file.

        Raises:
            ModelError: as `BatchModel.submit`.
        """
        form = aiohttp.FormData(fields)
        form.add_field("file", content, filename=file_name, content_type="application/jsonl")
        async with self._call("POST", path, data=form, seconds=HAND_IN_SECONDS) as response:
            return await bounded_body(response)

    async def lines(self, path: str) -> AsyncGenerator[bytes]:
        """Read what stands at a path line by line; empty lines and those longer than an answer can be are left out.

        Raises:
            ModelError: as `BatchModel.submit`.
        """
        async with self._call("GET", path, seconds=None) as response:
            line, is_too_long, left = bytearray(), False, MAX_ANSWERS_BYTES
            async for piece in response.content.iter_any():
                left -= len(piece)
                if left < 0:
                    raise UnreadableVerdict(f"the answers are longer than {MAX_ANSWERS_BYTES} bytes", raw_answer="")
                first, *others = piece.split(b"\n")
                line += first
                for other in others:
                    if line and not is_too_long and len(line) <= MAX_ANSWER_BYTES:
                        yield bytes(line)
                    line, is_too_long = bytearray(other), False
                if len(line) > MAX_ANSWER_BYTES:
                    line, is_too_long = bytearray(), True
            if line and not is_too_long:
                yield bytes(line)

    async def close(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def _call(
        self, method: str, path: str, *, seconds: float | None = ANSWER_SECONDS, **how: Any
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Call, and give a good answer.

        Args:
            method: of HTTP.
            path: below the address.
            seconds: how long it may take in all; None for as long as more keeps coming.
            how: body and headers.
        """
        timeout = aiohttp.ClientTimeout(
            total=seconds, sock_connect=CONNECT_SECONDS, sock_read=seconds or ANSWER_SECONDS
        )
        try:
            url = f"{self._address}{path}"
            async with self._open().request(method, url, timeout=timeout, allow_redirects=False, **how) as response:
                await self._check(response)
                yield response
        except TimeoutError as error:
            raise ModelUnavailable("the model's server takes too long", timed_out=True) from error
        except aiohttp.InvalidURL as error:
            raise NotAdmitted(f"{self.endpoint.address_setting} is no address that can be called") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ModelUnavailable(f"the model's server cannot be reached ({type(error).__name__})") from error

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if 200 <= status < 300:
            return
        if status in RETRIED_STATUS:
            wanted = retry_after(response.headers, time.time())
            raise ModelUnavailable(f"the model's server answered {status}", retry_after_seconds=wanted)
        raise refusal(self.endpoint, status, await bounded_body(response))

    def _open(self) -> aiohttp.ClientSession:
        """Connect lazily: a session belongs to the running event loop."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(headers=self.endpoint.headers, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def read(decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
    """Read an answer of a server.

    Raises:
        UnreadableVerdict: it is not `what` was expected.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        said = body[:MAX_MESSAGE].decode("utf-8", "replace")
        raise UnreadableVerdict(f"the server's answer is no {what}", raw_answer=said) from error


def checked_id(theirs: str) -> str:
    """Give an id that may stand in a path.

    Raises:
        UnreadableVerdict: it may not.
    """
    if not _ID.fullmatch(theirs):
        raise UnreadableVerdict("the server gave something an id that is none", raw_answer=theirs[:MAX_MESSAGE])
    return theirs


def result_of(chat: HttpChat[Any], status: int, body: bytes) -> ChatAnswer | ModelError:
    """Read what came of one question, as if it had been asked by itself; what its refusal teaches is learned."""
    if status == 200:
        try:
            return chat.read(body)
        except ModelError as error:
            return error
    if status in FORM_STATUS:
        chat.learn(complaint(body))
    if status in RETRIED_STATUS:
        return ModelUnavailable(f"the model's server answered {status}")
    return refusal(chat.endpoint, status, body)
