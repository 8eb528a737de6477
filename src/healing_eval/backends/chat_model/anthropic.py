"""How is Anthropic's messages API asked?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

import msgspec

from healing_eval.backends.chat_model.over_http import (
    MAX_MODEL_NAME,
    Endpoint,
    HttpChat,
    checked_key,
    host_of,
    tokens,
)
from healing_eval.errors import ConfigError, ModelRefused, UnreadableVerdict
from healing_eval.ports.chat_model import ChatAnswer, ChatRequest

DEFAULT_BASE_URL = "https://api.anthropic.com"
API_VERSION = "2023-06-01"
CONTEXT_TOKENS = 200_000
"""Of all models that are served without asking for more."""
KEEP_IN_CACHE = {"type": "ephemeral"}


class _Dialect(msgspec.Struct, frozen=True):
    """What this server is known to understand; learned from its refusals, once."""

    answer: Literal["tool", "text"] = "tool"
    """A forced tool whose arguments are the answer; some models refuse to be forced, as while they think."""
    temperature: bool = True

    def adapted(self, complaint: str) -> _Dialect | None:
        if self.temperature and "temperature" in complaint:
            return msgspec.structs.replace(self, temperature=False)
        if self.answer == "tool" and "tool" in complaint:
            return msgspec.structs.replace(self, answer="text")
        return None


class _Block(msgspec.Struct):
    type: str
    text: str | None = None
    input: msgspec.Raw = msgspec.Raw()


class _Usage(msgspec.Struct):
    input_tokens: Any = None
    """Those neither from nor for the cache."""
    output_tokens: Any = None
    cache_read_input_tokens: Any = None
    cache_creation_input_tokens: Any = None

    def all_input(self) -> int | None:
        """All tokens of the prompt, as every other provider counts them."""
        plain = tokens(self.input_tokens)
        if plain is None:
            return None
        return plain + (tokens(self.cache_read_input_tokens) or 0) + (tokens(self.cache_creation_input_tokens) or 0)


class _Message(msgspec.Struct):
    content: list[_Block]
    model: str | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None

    def text(self) -> str | None:
        """Give the tool's arguments as JSON, else what was said, parts joined; None if there is neither."""
        for block in self.content:
            if block.type == "tool_use" and bytes(block.input):
                return bytes(block.input).decode("utf-8", "replace")
        said = [block.text for block in self.content if block.type == "text" and block.text is not None]
        return "".join(said) if said else None


_decoder = msgspec.json.Decoder(_Message)


class AnthropicChat(HttpChat[_Dialect]):
    """A model behind `POST {base}/v1/messages`."""

    address_variable: ClassVar[str | None] = "ANTHROPIC_BASE_URL"
    key_variable: ClassVar[str | None] = "ANTHROPIC_API_KEY"

    def __init__(self, model: str, base_url: str, key: str | None) -> None:
        self.name = f"anthropic:{model}"
        self.context_tokens = CONTEXT_TOKENS
        self.base_url: str | None = base_url
        self._model = model
        headers = {"anthropic-version": API_VERSION} | ({"x-api-key": key} if key is not None else {})
        url = f"{base_url.rstrip('/').removesuffix('/v1')}/v1/messages"
        super().__init__(Endpoint(url, "ANTHROPIC_BASE_URL", key, headers), _Dialect())

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        base_url = environment.get("ANTHROPIC_BASE_URL") or DEFAULT_BASE_URL
        host = host_of("ANTHROPIC_BASE_URL", base_url, DEFAULT_BASE_URL)
        key = checked_key("ANTHROPIC_API_KEY", environment.get("ANTHROPIC_API_KEY"))
        if key is None and host == urlsplit(DEFAULT_BASE_URL).hostname:
            raise ConfigError(
                "ANTHROPIC_API_KEY is not set; anthropic models need it (or ANTHROPIC_BASE_URL of another server)"
            )
        return cls(model, base_url, key)

    def _payload(self, request: ChatRequest, dialect: _Dialect) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "model": self._model,
            "max_tokens": request.max_output_tokens,
            "messages": [message for message in request.messages if message.role != "system"],
        }
        fixed = [{"type": "text", "text": message.content} for message in request.messages if message.role == "system"]
        if fixed:
            # The same for every conversation: up to here, tools included, the server need not read it again.
            payload["system"] = [*fixed[:-1], fixed[-1] | {"cache_control": KEEP_IN_CACHE}]
        if dialect.temperature:
            payload["temperature"] = request.temperature
        if request.schema is not None and dialect.answer == "tool":
            name = request.schema_name
            described = f"Give the {name} in this form."
            payload["tools"] = [{"name": name, "description": described, "input_schema": request.schema}]
            payload["tool_choice"] = {"type": "tool", "name": name}
        return payload

    def _read(self, body: bytes, requests: int) -> ChatAnswer:
        text = body.decode("utf-8", "replace")
        try:
            message = _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnreadableVerdict("the server's answer is no message", raw_answer=text) from error
        if message.stop_reason == "refusal":
            raise ModelRefused("the model declined to answer")
        said, usage = message.text(), message.usage or _Usage()
        if said is None:
            raise UnreadableVerdict("the message holds no text", raw_answer=text)
        return ChatAnswer(
            text=said,
            model=(message.model or self._model)[:MAX_MODEL_NAME],
            input_tokens=usage.all_input(),
            cached_input_tokens=tokens(usage.cache_read_input_tokens),
            cache_written_tokens=tokens(usage.cache_creation_input_tokens),
            output_tokens=tokens(usage.output_tokens),
            finish_reason=message.stop_reason,
            requests=requests,
        )
