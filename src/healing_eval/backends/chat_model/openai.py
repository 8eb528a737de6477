"""How is an OpenAI-compatible server asked? OpenAI, vLLM, Ollama, OpenRouter and others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, cast
from urllib.parse import urlsplit

import msgspec

from healing_eval.backends.chat_model.logprobs import TOP_LOGPROBS, decode_with_nan, read_logprobs
from healing_eval.backends.chat_model.over_http import (
    MAX_MODEL_NAME,
    Endpoint,
    HttpChat,
    checked_key,
    host_of,
    tokens,
)
from healing_eval.errors import ConfigError, ModelRefused, UnreadableVerdict
from healing_eval.ports.chat_model import ChatAnswer, ChatRequest, TokenLogprob

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


class _Dialect(msgspec.Struct, frozen=True):
    """What this server is known to understand; learned from its refusals, once."""

    format: Literal["json_schema", "json_object", "none"] = "json_schema"
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True
    logprobs: bool = True

    def adapted(self, complaint: str) -> _Dialect | None:
        """Give the next simpler dialect for a refusal; None if the refusal is about something else."""
        if self.logprobs and "logprobs" in complaint.lower():
            return msgspec.structs.replace(self, logprobs=False)
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


class _Logprobs(msgspec.Struct):
    content: msgspec.Raw = msgspec.Raw()


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: msgspec.Raw = msgspec.Raw()

    def tokens(self) -> tuple[TokenLogprob, ...] | None:
        try:
            return read_logprobs(_logprobs_decoder.decode(self.logprobs).content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


class _Usage(msgspec.Struct):
    prompt_tokens: Any = None
    completion_tokens: Any = None
    prompt_tokens_details: Any = None

    def of_the_cache(self, name: str) -> int | None:
        """Read one of the details, which few servers give."""
        details = self.prompt_tokens_details
        return tokens(cast("dict[str, Any]", details).get(name)) if isinstance(details, dict) else None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None


_decoder = msgspec.json.Decoder(_Completion)
_logprobs_decoder = msgspec.json.Decoder(_Logprobs)


class OpenAIChat(HttpChat[_Dialect]):
    """A model behind `POST {base}/chat/completions`."""

    address_variable: ClassVar[str | None] = "OPENAI_BASE_URL"
    key_variable: ClassVar[str | None] = "OPENAI_API_KEY"

    def __init__(self, model: str, base_url: str, key: str | None) -> None:
        self.name = f"openai:{model}"
        self.context_tokens = context_of(model)
        self.base_url: str | None = base_url
        self._model = model
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        url = f"{base_url.rstrip('/')}/chat/completions"
        super().__init__(Endpoint(url, "OPENAI_BASE_URL", key, headers), _Dialect())

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        base_url = environment.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
        host = host_of("OPENAI_BASE_URL", base_url, "http://127.0.0.1:11434/v1")
        key = checked_key("OPENAI_API_KEY", environment.get("OPENAI_API_KEY"))
        if key is None and host == urlsplit(DEFAULT_BASE_URL).hostname:
            raise ConfigError("OPENAI_API_KEY is not set; openai models need it (or OPENAI_BASE_URL of a local server)")
        return cls(model, base_url, key)

    def _payload(self, request: ChatRequest, dialect: _Dialect) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "model": self._model,
            "messages": request.messages,
            dialect.limit: request.max_output_tokens,
        }
        if dialect.temperature:
            payload["temperature"] = request.temperature
        if request.logprobs and dialect.logprobs:
            payload |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        if request.schema is not None and dialect.format == "json_schema":
            schema = {"name": request.schema_name, "strict": True, "schema": request.schema}
            payload["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif request.schema is not None and dialect.format == "json_object":
            payload["response_format"] = {"type": "json_object"}
        return payload

    def _read(self, body: bytes, requests: int) -> ChatAnswer:
        text = body.decode("utf-8", "replace")
        try:
            completion = decode_with_nan(_decoder, body)
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
            input_tokens=tokens(usage.prompt_tokens),
            cached_input_tokens=usage.of_the_cache("cached_tokens"),
            cache_written_tokens=usage.of_the_cache("cache_write_tokens"),
            output_tokens=tokens(usage.completion_tokens),
            finish_reason=choice.finish_reason,
            requests=requests,
            token_logprobs=choice.tokens(),
        )


def context_of(model: str) -> int:
    """How many tokens prompt and answer of a model may take together; 128,000 for models we do not know."""
    families = [family for family in CONTEXT_TOKENS if model.startswith(family)]
    return CONTEXT_TOKENS[max(families, key=len)] if families else DEFAULT_CONTEXT_TOKENS
