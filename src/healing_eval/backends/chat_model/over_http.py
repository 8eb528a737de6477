"""How is a model's server asked over HTTP, whatever it speaks?

Who speaks a language says what a request looks like and how an answer is read; the rest is the same for all.
"""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Generic, Protocol, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from healing_eval.errors import ConfigError, ModelRefused, ModelUnavailable, NotAdmitted, UnreadableVerdict
from healing_eval.ports.chat_model import ChatAnswer, ChatRequest

CONNECTIONS = 512
RETRIED_STATUS = frozenset({408, 429, 500, 502, 503, 504, 529})
FORM_STATUS = frozenset({400, 403, 422})
"""With which servers refuse the form of a request; OpenAI answers 403 where a model gives no log-probabilities."""
NOT_ADMITTED_STATUS = frozenset({401, 403, 404})
MAX_ADAPTATIONS = 5
MAX_MESSAGE = 300
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""More than any verdict takes; what is longer is a fault of the server and is not read to its end."""
MAX_MODEL_NAME = 200
MAX_TOKENS = 2**31 - 1

_KEY_LIKE = re.compile(r"\b(?:sk|key)-[\w*.-]+")


class Dialect(Protocol):
    """What a server is known to understand; learned from its refusals, once."""

    def adapted(self, complaint: str) -> Self | None:
        """Give the next simpler dialect for a refusal; None if the refusal is about something else."""
        ...


D = TypeVar("D", bound=Dialect)


class Endpoint(msgspec.Struct, frozen=True):
    """Where a model is asked."""

    url: str
    address_setting: str
    """The variable that holds its address, for whoever has to correct it."""
    key: str | None = None
    """Never shown."""
    headers: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r})"  # neither key nor headers, whoever prints it


class HttpChat(ABC, Generic[D]):
    """A `ChatModel` behind one URL that takes JSON."""

    def __init__(self, endpoint: Endpoint, dialect: D) -> None:
        self._endpoint = endpoint
        self._dialect = dialect
        self._session: aiohttp.ClientSession | None = None

    @abstractmethod
    def _payload(self, request: ChatRequest, dialect: D) -> dict[str, Any]:
        """Write the request in the server's language."""

    @abstractmethod
    def _read(self, body: bytes, requests: int) -> ChatAnswer:
        """Read what it answered after so many requests.

        Raises:
            UnreadableVerdict: that is no answer of a chat model.
            ModelRefused: the model declined to answer.
        """

    @property
    def endpoint(self) -> Endpoint:
        """Where and with which headers it is asked; whoever asks in batches does so there."""
        return self._endpoint

    def written(self, request: ChatRequest) -> dict[str, Any]:
        """Write a request as the server is known to understand it."""
        return self._payload(request, self._dialect)

    def read(self, body: bytes) -> ChatAnswer:
        """Read an answer that came another way.

        Raises:
            UnreadableVerdict: that is no answer of a chat model.
            ModelRefused: the model declined to answer.
        """
        return self._read(body, 1)

    def learn(self, said: str) -> bool:
        """Take note of a refusal; True if it was about the form of the request, which is simpler from now on."""
        simpler = self._dialect.adapted(said)
        if simpler is not None:
            self._dialect = simpler
        return simpler is not None

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        sent, started = _Sent(), time.monotonic()
        try:
            async with asyncio.timeout(request.timeout_seconds):
                answer = await self._ask_in_its_dialect(request, sent)
        except TimeoutError as error:
            reason = f"no answer within {request.timeout_seconds:g} s"
            raise ModelUnavailable(reason, requests=sent.requests, timed_out=True) from error
        return msgspec.structs.replace(answer, seconds=time.monotonic() - started)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _ask_in_its_dialect(self, request: ChatRequest, sent: _Sent) -> ChatAnswer:
        """Ask, and once more in a simpler dialect for each refusal that is about one."""
        for _ in range(MAX_ADAPTATIONS):
            dialect = self._dialect
            sent.requests += 1
            status, body, headers = await self._post(self._payload(request, dialect), sent)
            if status in FORM_STATUS and (simpler := dialect.adapted(complaint(body))) is not None:
                if self._dialect == dialect:  # else another call has learned something meanwhile
                    self._dialect = simpler
                continue
            if status in RETRIED_STATUS:
                raise ModelUnavailable(
                    f"the model's server answered {status}",
                    requests=sent.requests,
                    retry_after_seconds=retry_after(headers, time.time()),
                )
            if status != 200:
                raise refusal(self._endpoint, status, body)
            return self._read(body, sent.requests)
        raise ModelRefused("the model's server accepts no form of the request that we know")

    async def _post(self, payload: dict[str, Any], sent: _Sent) -> tuple[int, bytes, Mapping[str, str]]:
        try:
            async with self._open().post(self._endpoint.url, data=msgspec.json.encode(payload)) as response:
                return response.status, await bounded_body(response), response.headers
        except aiohttp.InvalidURL as error:
            raise NotAdmitted(f"{self._endpoint.address_setting} is no address that can be called") from error
        except (aiohttp.ClientError, OSError) as error:
            reason = f"the model's server cannot be reached ({type(error).__name__})"
            raise ModelUnavailable(reason, requests=sent.requests) from error

    def _open(self) -> aiohttp.ClientSession:
        """Connect lazily: a session belongs to the running event loop. The caller's timeout is the only one."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Content-Type": "application/json", **self._endpoint.headers},
            )
        return self._session


class _Sent(msgspec.Struct):
    """What one call has sent so far."""

    requests: int = 0


def refusal(endpoint: Endpoint, status: int, body: bytes) -> ModelRefused:
    """Say that the server refused something, in its own words without our key."""
    reason = f"the model's server answered {status}: {without_key(endpoint, complaint(body))}"
    return NotAdmitted(reason, status=status) if status in NOT_ADMITTED_STATUS else ModelRefused(reason)


def without_key(endpoint: Endpoint, said: str) -> str:
    """Give the beginning of a server's words, without anything that looks like a key."""
    said = said[:MAX_MESSAGE]
    if endpoint.key:
        said = said.replace(endpoint.key, "***")
    return _KEY_LIKE.sub("***", said)


def host_of(setting: str, address: str, example: str) -> str:
    """Give the host of a server's address.

    Raises:
        ConfigError: it is none.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"{setting} must be an http or https address, such as {example}")
    return parts.hostname


def checked_key(setting: str, key: str | None) -> str | None:
    """Give a key that a header can carry; None if there is none.

    Raises:
        ConfigError: no header can.
    """
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{setting} holds characters that no key has")
    return key or None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read how long the server asks us to wait, in seconds; None if it does not say.

    A date is taken by the server's own clock if it tells that, else by ours, which says `now` (Unix time).
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        wanted = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    with suppress(ValueError, OverflowError):
        now = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    return max(0.0, wanted - now)


def tokens(counted: Any) -> int | None:
    """Take a count of tokens; servers that do not count say -1, null or nonsense."""
    is_count = isinstance(counted, int) and not isinstance(counted, bool) and 0 <= counted <= MAX_TOKENS
    return counted if is_count else None


def complaint(body: bytes) -> str:
    """Give the server's own words from the error shapes in use."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body[:MAX_MESSAGE].decode("utf-8", "replace")
    error = document.get("error", document) if isinstance(document, dict) else document  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - checked below
    message = error.get("message") if isinstance(error, dict) else error  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any text will do
    return message if isinstance(message, str) else body[:MAX_MESSAGE].decode("utf-8", "replace")


async def bounded_body(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer that is not too long.

    Raises:
        UnreadableVerdict: it is longer than `MAX_ANSWER_BYTES`.
    """
    body = bytearray()
    while piece := await response.content.readany():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            said = bytes(body[:MAX_MESSAGE]).decode("utf-8", "replace")
            raise UnreadableVerdict(f"the answer is longer than {MAX_ANSWER_BYTES} bytes", raw_answer=said)
    return bytes(body)
