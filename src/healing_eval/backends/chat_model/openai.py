"""How is an OpenAI-compatible server asked? OpenAI, vLLM, Ollama, OpenRouter and others."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Self, cast
from urllib.parse import urlsplit

import aiohttp
import msgspec
import stamina

from healing_eval.errors import ConfigError, ModelError, ModelRefused, ModelUnavailable, UnreadableVerdict
from healing_eval.ports.chat_model import ChatAnswer, ChatRequest

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_CONTEXT_TOKENS = 128_000

CONTEXT_TOKENS: dict[str, int] = {
    "gpt-3.5": 16_385,
    "gpt-4": 8_192,
    "gpt-4-turbo": 128_000,
    "gpt-4o": 128_000,
    "gpt-4.1": 1_000_000,
    "gpt-5": 272_000,
    "o1": 200_000,
    "o3": 200_000,
    "o4": 200_000,
}
"""Context of a family by the beginning of its models' names; the longest that fits counts."""

ATTEMPTS = 4
CONNECTIONS = 512
LONGEST_RETRY_AFTER_SECONDS = 60.0
RETRIED_STATUS = frozenset({408, 429, 500, 502, 503, 504, 529})
MAX_ADAPTATIONS = 5
MAX_MESSAGE = 300
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""More than any verdict takes; what is longer is a fault of the server and is not read to its end."""
MAX_MODEL_NAME = 200
MAX_TOKENS = 2**31 - 1

_KEY_LIKE = re.compile(r"\b(?:sk|key)-[\w*.-]+")


class _TryAgain(Exception):
    """A fault that the next attempt may not meet; the text holds neither content nor key, since retries are logged."""

    def __init__(self, reason: str, delay_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.delay_seconds = delay_seconds


class _Sent(msgspec.Struct):
    """What one call has sent so far."""

    requests: int = 0


class _Dialect(msgspec.Struct, frozen=True):
    """What this server is known to understand; learned from its refusals, once."""

    format: Literal["json_schema", "json_object", "none"] = "json_schema"
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True

    def adapted(self, complaint: str) -> _Dialect | None:
        """Give the next simpler dialect for a refusal; None if the refusal is about something else."""
        if self.limit == "max_tokens" and "max_tokens" in complaint:
            return msgspec.structs.replace(self, limit="max_completion_tokens")
        if self.temperature and "temperature" in complaint:
            return msgspec.structs.replace(self, temperature=False)
        if self.format != "none" and any(word in complaint for word in ("response_format", "json_schema", "schema")):
            simpler = "json_object" if self.format == "json_schema" else "none"
            return msgspec.structs.replace(self, format=simpler)
        return None


class _Part(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part | str] | None = None
    refusal: str | None = None

    def text(self) -> str | None:
        """Give what was said, parts joined; None if there is no text."""
        if self.content is None or isinstance(self.content, str):
            return self.content
        texts = [part if isinstance(part, str) else part.text for part in self.content]
        said = [text for text in texts if text is not None]
        return "".join(said) if said else None

    def refuses(self) -> bool:
        parts = self.content if isinstance(self.content, list) else []
        return bool(self.refusal) or any(isinstance(part, _Part) and part.refusal for part in parts)


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Any = None
    completion_tokens: Any = None
    prompt_tokens_details: Any = None

    def of_the_cache(self, name: str) -> int | None:
        """Read one of the details, which few servers give."""
        details = self.prompt_tokens_details
        return _tokens(cast("dict[str, Any]", details).get(name)) if isinstance(details, dict) else None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None


_decoder = msgspec.json.Decoder(_Completion)


class OpenAIChat:
    """A model behind `POST {base}/chat/completions`."""

    def __init__(self, model: str, base_url: str, key: str | None) -> None:
        self.name = f"openai:{model}"
        self.context_tokens = context_of(model)
        self.base_url: str | None = base_url
        self._model = model
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._key = key
        self._dialect = _Dialect()
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        base_url = environment.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
        address = urlsplit(base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ConfigError("OPENAI_BASE_URL must be an http or https address, such as http://127.0.0.1:11434/v1")
        key = environment.get("OPENAI_API_KEY") or None
        if key is None and address.hostname == urlsplit(DEFAULT_BASE_URL).hostname:
            raise ConfigError("OPENAI_API_KEY is not set; openai models need it (or OPENAI_BASE_URL of a local server)")
        if key is not None and not (key.isascii() and key.isprintable()):
            raise ConfigError("OPENAI_API_KEY holds characters that no key has")
        return cls(model, base_url, key)

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        deadline, sent = time.monotonic() + request.timeout_seconds, _Sent()

        def worth_another(error: Exception) -> bool | float:
            if not isinstance(error, _TryAgain):
                return False
            delay = error.delay_seconds
            if delay is None:
                return True
            return delay if delay <= min(LONGEST_RETRY_AFTER_SECONDS, deadline - time.monotonic()) else False

        try:
            async with asyncio.timeout(request.timeout_seconds):
                try:
                    return await self._ask_in_its_dialect(request, sent)
                except _TryAgain as error:
                    failed = error
                async for attempt in stamina.retry_context(on=worth_another, attempts=ATTEMPTS, timeout=None):
                    with attempt:
                        if attempt.num == 1:  # that one is over: nearly all succeed, and need no machinery for more
                            raise failed
                        return await self._ask_in_its_dialect(request, sent)
        except _TryAgain as error:
            raise ModelUnavailable(
                str(error), requests=sent.requests, retry_after_seconds=error.delay_seconds
            ) from error
        except TimeoutError as error:
            raise ModelUnavailable(f"no answer within {request.timeout_seconds:g} s", requests=sent.requests) from error
        raise AssertionError("the retry loop returns or raises")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _ask_in_its_dialect(self, request: ChatRequest, sent: _Sent) -> ChatAnswer:
        """Ask, and once more in a simpler dialect for each refusal that is about one."""
        for _ in range(MAX_ADAPTATIONS):
            dialect = self._dialect
            sent.requests += 1
            status, body, headers = await self._post(self._payload(request, dialect))
            if status == 400 and (simpler := dialect.adapted(_complaint(body))) is not None:
                if self._dialect == dialect:  # else another call has learned something meanwhile
                    self._dialect = simpler
                continue
            if status in RETRIED_STATUS:
                raise _TryAgain(f"the model's server answered {status}", retry_after(headers, time.time()))
            if status != 200:
                raise self._refusal(status, body)
            return self._read(body, sent.requests)
        raise ModelRefused("the model's server accepts no form of the request that we know")

    async def _post(self, payload: dict[str, Any]) -> tuple[int, bytes, Mapping[str, str]]:
        try:
            async with self._open().post(self._url, data=msgspec.json.encode(payload)) as response:
                return response.status, await _bounded_body(response), response.headers
        except aiohttp.InvalidURL as error:
            raise ModelRefused("OPENAI_BASE_URL is no address that can be called") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _TryAgain(f"the model's server cannot be reached ({type(error).__name__})") from error

    def _open(self) -> aiohttp.ClientSession:
        """Connect lazily: a session belongs to the running event loop. The caller's timeout is the only one."""
        if self._session is None or self._session.closed:
            headers = {"Content-Type": "application/json"}
            if self._key is not None:
                headers["Authorization"] = f"Bearer {self._key}"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=headers,
            )
        return self._session

    def _payload(self, request: ChatRequest, dialect: _Dialect) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "model": self._model,
            "messages": request.messages,
            dialect.limit: request.max_output_tokens,
        }
        if dialect.temperature:
            payload["temperature"] = request.temperature
        if request.schema is not None and dialect.format == "json_schema":
            schema = {"name": request.schema_name, "strict": True, "schema": request.schema}
            payload["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif request.schema is not None and dialect.format == "json_object":
            payload["response_format"] = {"type": "json_object"}
        return payload

    def _read(self, body: bytes, requests: int) -> ChatAnswer:
        text = body.decode("utf-8", "replace")
        try:
            completion = _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnreadableVerdict("the server's answer is no chat completion", raw_answer=text) from error
        if not completion.choices:
            raise UnreadableVerdict("the chat completion holds no choice", raw_answer=text)
        choice, usage = completion.choices[0], completion.usage or _Usage()
        if choice.message.refuses() or choice.finish_reason == "content_filter":
            raise ModelRefused("the model declined to answer")
        said = choice.message.text()
        if said is None:
            raise UnreadableVerdict("the chat completion holds no text", raw_answer=text)
        return ChatAnswer(
            text=said,
            model=(completion.model or self._model)[:MAX_MODEL_NAME],
            input_tokens=_tokens(usage.prompt_tokens),
            cached_input_tokens=usage.of_the_cache("cached_tokens"),
            cache_written_tokens=usage.of_the_cache("cache_write_tokens"),
            output_tokens=_tokens(usage.completion_tokens),
            finish_reason=choice.finish_reason,
            requests=requests,
        )

    def _refusal(self, status: int, body: bytes) -> ModelError:
        said = _complaint(body)[:MAX_MESSAGE]
        if self._key:
            said = said.replace(self._key, "***")
        return ModelRefused(f"the model's server answered {status}: {_KEY_LIKE.sub('***', said)}")


def context_of(model: str) -> int:
    """How many tokens prompt and answer of a model may take together; 128,000 for models we do not know."""
    families = [family for family in CONTEXT_TOKENS if model.startswith(family)]
    return CONTEXT_TOKENS[max(families, key=len)] if families else DEFAULT_CONTEXT_TOKENS


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


async def _bounded_body(response: aiohttp.ClientResponse) -> bytes:
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


def _tokens(counted: Any) -> int | None:
    """Take a count of tokens; servers that do not count say -1, null or nonsense."""
    is_count = isinstance(counted, int) and not isinstance(counted, bool) and 0 <= counted <= MAX_TOKENS
    return counted if is_count else None


def _complaint(body: bytes) -> str:
    """Give the server's own words from the error shapes in use."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body[:MAX_MESSAGE].decode("utf-8", "replace")
    error = document.get("error", document) if isinstance(document, dict) else document  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - checked below
    message = error.get("message") if isinstance(error, dict) else error  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - any text will do
    return message if isinstance(message, str) else body[:MAX_MESSAGE].decode("utf-8", "replace")
